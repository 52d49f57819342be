/// What client and server agree on in INIT. Bits 32 and up travel in `flags2` (since 7.36).
public struct InitFlags: OptionSet, Sendable {
  public var rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  public static let asyncRead = InitFlags(rawValue: 1 << 0)
  public static let posixLocks = InitFlags(rawValue: 1 << 1)
  /// O_TRUNC arrives with OPEN instead of as a SETATTR before it.
  public static let atomicTruncate = InitFlags(rawValue: 1 << 3)
  public static let exportSupport = InitFlags(rawValue: 1 << 4)
  public static let bigWrites = InitFlags(rawValue: 1 << 5)
  /// The client leaves the umask to the server.
  public static let dontMask = InitFlags(rawValue: 1 << 6)
  public static let flockLocks = InitFlags(rawValue: 1 << 10)
  public static let ioctlDirectories = InitFlags(rawValue: 1 << 11)
  /// Cached pages are dropped when attributes show that the file changed.
  public static let autoInvalidateData = InitFlags(rawValue: 1 << 12)
  public static let readdirplus = InitFlags(rawValue: 1 << 13)
  public static let readdirplusAuto = InitFlags(rawValue: 1 << 14)
  public static let asyncDirectIO = InitFlags(rawValue: 1 << 15)
  public static let writebackCache = InitFlags(rawValue: 1 << 16)
  public static let noOpen = InitFlags(rawValue: 1 << 17)
  public static let parallelDirectoryOperations = InitFlags(rawValue: 1 << 18)
  public static let handleKillPrivileges = InitFlags(rawValue: 1 << 19)
  public static let posixACL = InitFlags(rawValue: 1 << 20)
  public static let abortError = InitFlags(rawValue: 1 << 21)
  /// `max_pages` of the reply counts.
  public static let maxPages = InitFlags(rawValue: 1 << 22)
  public static let cacheSymlinks = InitFlags(rawValue: 1 << 23)
  public static let noOpendir = InitFlags(rawValue: 1 << 24)
  public static let explicitInvalidateData = InitFlags(rawValue: 1 << 25)
  public static let mapAlignment = InitFlags(rawValue: 1 << 26)
  public static let submounts = InitFlags(rawValue: 1 << 27)
  /// The server clears setuid, setgid and capabilities on write, truncate and chown.
  public static let handleKillPrivilegesV2 = InitFlags(rawValue: 1 << 28)
  /// SETXATTR carries flags of its own.
  public static let setxattrExtended = InitFlags(rawValue: 1 << 29)
  /// `flags2` counts.
  public static let initExtended = InitFlags(rawValue: 1 << 30)
  public static let securityContext = InitFlags(rawValue: 1 << 32)
  public static let inodeDAX = InitFlags(rawValue: 1 << 33)
  public static let createSupplementaryGroup = InitFlags(rawValue: 1 << 34)
  public static let expireOnly = InitFlags(rawValue: 1 << 35)
  public static let directIOAllowsMmap = InitFlags(rawValue: 1 << 36)
  public static let passthrough = InitFlags(rawValue: 1 << 37)
  public static let noExportSupport = InitFlags(rawValue: 1 << 38)
  public static let hasResend = InitFlags(rawValue: 1 << 39)
  public static let allowIDMap = InitFlags(rawValue: 1 << 40)
}
