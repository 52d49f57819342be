import CLinux
import Glibc

/// The ioctls of file systems on files: flags (ioctl_iflags(2)), and fs-verity.
package enum InodeFlags {
  /// FS_APPEND_FL, FS_IMMUTABLE_FL: what keeps even root from changing a file.
  package static let locked: UInt32 = 0x30

  /// What a file's owner may set, and take off again (ioctl_iflags(2)): FS_SECRM_FL, FS_UNRM_FL, FS_COMPR_FL, FS_SYNC_FL,
  /// FS_NODUMP_FL, FS_NOATIME_FL, FS_NOCOMP_FL, FS_NOTAIL_FL, FS_DIRSYNC_FL, FS_TOPDIR_FL, FS_NOCOW_FL, FS_CASEFOLD_FL, and
  /// FS_EXTENT_FL, which cannot be changed.
  package static let harmless: UInt32 = 0x408b_84cf
  /// The same of `fsx_xflags` (linux/fs.h): FS_XFLAG_SYNC, NOATIME, NODUMP, EXTSIZE, EXTSZINHERIT, NODEFRAG, COWEXTSIZE, HASATTR.
  package static let harmlessAttributes: UInt32 = 0x8001_38e0
  /// FS_XFLAG_PROJINHERIT.
  package static let inheritsProject: UInt32 = 0x200

  /// FS_IOC_GETFLAGS.
  package static func get(_ descriptor: Int32) throws(Errno) -> UInt32 {
    var flags: UInt32 = 0
    try checked(unsafe clinux_get_inode_flags(descriptor, &flags))
    return flags
  }

  /// FS_IOC_SETFLAGS.
  package static func set(_ descriptor: Int32, _ flags: UInt32) throws(Errno) {
    var flags = flags
    try checked(unsafe clinux_set_inode_flags(descriptor, &flags))
  }

  /// FS_IOC_GETVERSION: the inode's generation.
  package static func version(_ descriptor: Int32) throws(Errno) -> UInt32 {
    var version: Int32 = 0
    try checked(unsafe clinux_get_inode_version(descriptor, &version))
    return UInt32(bitPattern: version)
  }

  /// Length of `struct fsxattr` in bytes.
  package static let attributesSize = 28

  /// FS_IOC_FSGETXATTR: a `struct fsxattr`.
  package static func attributes(_ descriptor: Int32) throws(Errno) -> [UInt8] {
    var attributes = [UInt8](repeating: 0, count: attributesSize)
    try checked(
      unsafe attributes.withUnsafeMutableBytes { unsafe clinux_get_inode_attributes(descriptor, $0.baseAddress) })
    return attributes
  }

  /// FS_IOC_FSSETXATTR.
  package static func setAttributes(_ descriptor: Int32, _ attributes: [UInt8]) throws(Errno) {
    guard attributes.count == attributesSize else { throw .invalid }
    try checked(unsafe attributes.withUnsafeBytes { unsafe clinux_set_inode_attributes(descriptor, $0.baseAddress) })
  }

  /// FS_IOC_ENABLE_VERITY. Nobody may have the file open for writing.
  ///
  /// - Parameters:
  ///   - algorithm: FS_VERITY_HASH_ALG_*.
  ///   - blockSize: of the Merkle tree, in bytes.
  package static func enableVerity(
    _ descriptor: Int32, algorithm: UInt32, blockSize: UInt32, salt: [UInt8], signature: [UInt8]
  ) throws(Errno) {
    var arguments = fsverity_enable_arg()
    arguments.version = 1
    arguments.hash_algorithm = algorithm
    arguments.block_size = blockSize
    arguments.salt_size = UInt32(salt.count)
    arguments.sig_size = UInt32(signature.count)
    let result = unsafe salt.withUnsafeBytes { salt in
      unsafe signature.withUnsafeBytes { signature in
        arguments.salt_ptr = salt.count == 0 ? 0 : UInt64(UInt(bitPattern: salt.baseAddress))
        arguments.sig_ptr = signature.count == 0 ? 0 : UInt64(UInt(bitPattern: signature.baseAddress))
        return unsafe clinux_enable_verity(descriptor, &arguments)
      }
    }
    try checked(result)
  }

  /// FS_IOC_MEASURE_VERITY: a `struct fsverity_digest` with its digest, which has at most `room` bytes.
  package static func verityDigest(_ descriptor: Int32, room: UInt16) throws(Errno) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 4 + Int(room))
    digest[2] = UInt8(truncatingIfNeeded: room)
    digest[3] = UInt8(truncatingIfNeeded: room >> 8)
    try checked(unsafe digest.withUnsafeMutableBytes { unsafe clinux_measure_verity(descriptor, $0.baseAddress) })
    return digest
  }
}
