import FoundationEssentials

/// Who somebody is to a registry.
package enum Credentials: Equatable, Sendable {
  case password(user: String, password: String)
  /// What a token is had for by OAuth2, in place of a password.
  case identityToken(String)

  /// The value of `Authorization` (RFC 7617); nil for a token, which is no password.
  package var basic: String? {
    guard case .password(let user, let password) = self else { return nil }
    return "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
  }

  /// What `auth` of a credentials file holds.
  init?(base64 text: String) {
    guard let data = Data(base64Encoded: text), let decoded = String(validating: data, as: UTF8.self),
      let colon = decoded.firstIndex(of: ":")
    else { return nil }
    // Docker's files of old had NULs behind the password.
    let password = decoded[decoded.index(after: colon)...].prefix { $0 != "\0" }
    self = .password(user: String(decoded[..<colon]), password: String(password))
  }
}
