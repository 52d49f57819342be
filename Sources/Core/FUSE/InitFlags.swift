/// What client and server agree on in INIT. Bits 32 and up travel in `flags2` (since 7.36).
package struct InitFlags: OptionSet, Sendable {
  package var rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  package static let asyncRead = InitFlags(rawValue: 1 << 0)
  package static let posixLocks = InitFlags(rawValue: 1 << 1)
  /// O_TRUNC arrives with OPEN instead of as a SETATTR before it.
  package static let atomicTruncate = InitFlags(rawValue: 1 << 3)
  package static let exportSupport = InitFlags(rawValue: 1 << 4)
  package static let bigWrites = InitFlags(rawValue: 1 << 5)
  /// The client leaves the umask to the server.
  package static let dontMask = InitFlags(rawValue: 1 << 6)
  package static let flockLocks = InitFlags(rawValue: 1 << 10)
  package static let ioctlDirectories = InitFlags(rawValue: 1 << 11)
  /// Cached pages are dropped when attributes show that the file changed.
  package static let autoInvalidateData = InitFlags(rawValue: 1 << 12)
  package static let readdirplus = InitFlags(rawValue: 1 << 13)
  package static let readdirplusAuto = InitFlags(rawValue: 1 << 14)
  package static let asyncDirectIO = InitFlags(rawValue: 1 << 15)
  package static let writebackCache = InitFlags(rawValue: 1 << 16)
  package static let noOpen = InitFlags(rawValue: 1 << 17)
  package static let parallelDirectoryOperations = InitFlags(rawValue: 1 << 18)
  package static let handleKillPrivileges = InitFlags(rawValue: 1 << 19)
  package static let posixACL = InitFlags(rawValue: 1 << 20)
  package static let abortError = InitFlags(rawValue: 1 << 21)
  /// `max_pages` of the reply counts.
  package static let maxPages = InitFlags(rawValue: 1 << 22)
  package static let cacheSymlinks = InitFlags(rawValue: 1 << 23)
  package static let noOpendir = InitFlags(rawValue: 1 << 24)
  package static let explicitInvalidateData = InitFlags(rawValue: 1 << 25)
  package static let mapAlignment = InitFlags(rawValue: 1 << 26)
  package static let submounts = InitFlags(rawValue: 1 << 27)
  /// The server clears setuid, setgid and capabilities on write, truncate and chown.
  package static let handleKillPrivilegesV2 = InitFlags(rawValue: 1 << 28)
  /// SETXATTR carries flags of its own.
  package static let setxattrExtended = InitFlags(rawValue: 1 << 29)
  /// `flags2` counts.
  package static let initExtended = InitFlags(rawValue: 1 << 30)
  package static let securityContext = InitFlags(rawValue: 1 << 32)
  package static let inodeDAX = InitFlags(rawValue: 1 << 33)
  package static let createSupplementaryGroup = InitFlags(rawValue: 1 << 34)
  package static let expireOnly = InitFlags(rawValue: 1 << 35)
  package static let directIOAllowsMmap = InitFlags(rawValue: 1 << 36)
  package static let passthrough = InitFlags(rawValue: 1 << 37)
  package static let noExportSupport = InitFlags(rawValue: 1 << 38)
  package static let hasResend = InitFlags(rawValue: 1 << 39)
  package static let allowIDMap = InitFlags(rawValue: 1 << 40)
}
