import Download
import FoundationEssentials
import Images
import Packs

/// One repository of one registry, by the OCI distribution specification 1.1 and Docker's registry HTTP API V2, which agree on
/// what is used here.
///
/// What comes of it is hostile: each answer has a bound, and nothing of it is believed that a digest does not vouch for.
package final class RegistryClient {
  package let source: RegistriesConfiguration.Source
  private let access: RegistryAccess
  private let trust: Exchange.Trust
  /// Whether the registry may be anybody, and may speak without TLS.
  private let isInsecure: Bool
  private var scheme: String?
  private var authorization: String?
  /// What tokens are asked for.
  private var scopes: [String]

  /// - Parameters:
  ///   - pushes: whether things are to be written there.
  ///   - others: repositories of the same registry that layers may be taken over from.
  package init(
    _ source: RegistriesConfiguration.Source, _ access: RegistryAccess, pushes: Bool = false, others: [String] = []
  ) throws(RegistryError) {
    self.source = source
    self.access = access
    isInsecure = source.isInsecure || !access.verifies || HostName.isLoopback(source.host)
    var trust = try access.certificates.trust(in: source.host)
    trust.verifies = !isInsecure || !trust.authorities.isEmpty && !source.isInsecure && access.verifies
    self.trust = trust
    scopes = ["repository:\(source.repository):pull" + (pushes ? ",push" : "")]
    scopes += others.map { "repository:\($0):pull" }
  }

  // MARK: Requests

  /// The address of something in the repository.
  func address(_ path: String) -> String { "\(base)/v2/\(source.repository)/\(path)" }

  private var base: String {
    let host = source.host == ImageReference.defaultRegistry ? ImageReference.defaultHost : source.host
    return "\(scheme ?? "https")://\(host)"
  }

  /// An exchange about something in the repository, with what is known of authorization.
  ///
  /// - Parameter place: a path in the repository, or an address that the registry gave.
  func exchange(
    _ method: Exchange.Method, _ place: String, fields: [Exchange.Field] = [], limit: UInt64
  ) throws(RegistryError) -> Exchange {
    let address = Download.isAddress(place) ? place : place.hasPrefix("/") ? base + place : self.address(place)
    do throws(DownloadError) {
      var exchange = try Exchange(address, limit: limit)
      exchange.method = method
      exchange.fields = fields
      exchange.verifiesElsewhere = access.verifies && !source.isInsecure
      // What belongs to the registry goes nowhere else.
      if isOurs(address) {
        exchange.trust = trust
        if let authorization { exchange.fields.append(.init("Authorization", authorization)) }
      } else {
        exchange.trust = elsewhere
        exchange.trust.verifies = exchange.verifiesElsewhere
      }
      return exchange
    } catch {
      throw .download(error)
    }
  }

  /// Where the registry has something sent to: it alone, or a server that is neither this host nor one behind it.
  ///
  /// - Parameter location: as a field has it (RFC 9110, 10.2.2).
  func place(_ location: String) throws(RegistryError) -> String {
    guard location.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw .answer(registry: source.host, "it wants something sent to no address")
    }
    if location.hasPrefix("/"), !location.hasPrefix("//") { return base + location }
    guard Download.isAddress(location) else {
      throw .answer(registry: source.host, "it wants something sent to no address")
    }
    if isOurs(location) { return location }
    let host = HostName.authority(of: location)
    guard scheme == "http" || location.lowercased().hasPrefix("https://"), !host.contains("@"),
      !HostName.isOfThisHost(host) || HostName.isOfThisHost(source.host)
    else { throw .answer(registry: source.host, "it wants something sent to \(host)") }
    return location
  }

  /// Whom to believe of another server that the registry leads to: the authorities that are believed of the registry, as Docker
  /// and Podman do. Nobody appears there as anybody.
  private var elsewhere: Exchange.Trust {
    var other = Exchange.Trust()
    other.authorities = trust.authorities
    return other
  }

  private func isOurs(_ address: String) -> Bool { address == base || address.hasPrefix(base + "/") }

  /// Asks, with TLS if the registry has it, and as whom it wants to know.
  ///
  /// - Parameter change: what else is to be so.
  func send(
    _ method: Exchange.Method, _ place: String, fields: [Exchange.Field] = [], limit: UInt64,
    _ change: (inout Exchange) -> Void = { _ in }
  ) throws(RegistryError) -> Exchange.Answer {
    var isSecondTime = false
    while true {
      var exchange = try exchange(method, place, fields: fields, limit: limit)
      exchange.time = 120
      change(&exchange)
      let answer: Exchange.Answer
      do throws(DownloadError) {
        answer = try exchange.perform(by: access.nofetch)
      } catch {
        if fallsBack(error) { continue }
        throw failure(error)
      }
      if scheme == nil { scheme = "https" }
      guard answer.status == 401, !isSecondTime else { return answer }
      isSecondTime = true
      try authorize(answer)
    }
  }

  /// Whether the same is to be tried without TLS.
  private func fallsBack(_ error: DownloadError) -> Bool {
    guard scheme == nil, isInsecure, !trust.verifies else { return false }
    switch error {
    case .untrusted, .connection, .cut:
      scheme = "http"
      return true
    default: return false
    }
  }

  func failure(_ error: DownloadError) -> RegistryError {
    if case .untrusted(_, let words) = error { return .untrusted(registry: source.host, words) }
    return .download(error)
  }

  // MARK: Authorization

  /// What a 401 asks for, for the requests to come.
  func authorize(_ answer: Exchange.Answer) throws(RegistryError) {
    let challenges = answer.fields.filter { $0.name == "www-authenticate" }
      .flatMap { AuthenticationChallenge.all(in: $0.value) }
    let credentials = try self.credentials()
    if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
      authorization = "Bearer " + (try token(bearer, credentials))
    } else if challenges.contains(where: { $0.scheme == "basic" }) {
      guard let basic = credentials?.basic else { throw denied(wasTold: false, answer) }
      authorization = basic
    } else {
      throw denied(wasTold: credentials != nil, answer)
    }
  }

  func denied(wasTold: Bool, _ answer: Exchange.Answer) -> RegistryError {
    .denied(registry: source.host, image: source.repository, wasTold: wasTold, Self.words(answer))
  }

  private func credentials() throws(RegistryError) -> Credentials? {
    if let given = access.given { return given }
    return try access.credentials.credentials(for: source)
  }

  /// Whether credentials were given.
  var wasTold: Bool { ((try? credentials()) ?? nil) != nil }

  private struct Token: Decodable {
    var token: String?
    /// OAuth2's name for it.
    var accessToken: String?

    enum CodingKeys: String, CodingKey {
      case token
      case accessToken = "access_token"
    }
  }

  /// A token of the server that the registry names (distribution's "Token Authentication Specification").
  private func token(
    _ challenge: AuthenticationChallenge, _ credentials: Credentials?
  ) throws(RegistryError) -> String {
    guard let realm = challenge.parameters["realm"], Download.isAddress(realm) else {
      throw .answer(registry: source.host, "it wants a token and does not say from where")
    }
    let host = HostName.authority(of: realm)
    // What is asked for in secret goes out in secret; and nobody's registry has servers of this host asked.
    guard scheme == "http" || realm.lowercased().hasPrefix("https://") else {
      throw .answer(registry: source.host, "it wants a token from \(host), and that without TLS")
    }
    guard !host.contains("@") else {
      throw .answer(registry: source.host, "it wants a token from an address with a user in it")
    }
    guard !HostName.isOfThisHost(host) || HostName.isOfThisHost(source.host) else {
      throw .answer(registry: source.host, "it wants a token from \(host), which is this host or its neighbour")
    }
    var query: [(String, String)] = []
    if let service = challenge.parameters["service"] { query.append(("service", service)) }
    let answer: Exchange.Answer
    do throws(DownloadError) {
      var exchange: Exchange
      if case .identityToken(let token)? = credentials {
        // OAuth2 (RFC 6749, 6).
        query += [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "novm")]
        query.append(("scope", scopes.joined(separator: " ")))
        exchange = try Exchange(realm, limit: 1 << 20)
        exchange.method = .post
        exchange.fields = [.init("Content-Type", "application/x-www-form-urlencoded")]
        exchange.content = .bytes(Array(Self.encoded(query).utf8))
      } else {
        query += scopes.map { ("scope", $0) }
        exchange = try Exchange(realm + (realm.contains("?") ? "&" : "?") + Self.encoded(query), limit: 1 << 20)
        if let basic = credentials?.basic { exchange.fields.append(.init("Authorization", basic)) }
      }
      exchange.time = 60
      exchange.trust = host == source.host ? trust : elsewhere
      if !access.verifies { (exchange.trust.verifies, exchange.verifiesElsewhere) = (false, false) }
      answer = try exchange.perform(by: access.nofetch)
    } catch {
      throw failure(error)
    }
    guard answer.isSuccess else {
      if [400, 401, 403].contains(answer.status) { throw denied(wasTold: credentials != nil, answer) }
      throw .answer(registry: host, "status \(answer.status) in place of a token")
    }
    // Of characters that a field can have: it goes into one.
    guard let decoded = try? JSONDecoder().decode(Token.self, from: Data(answer.body)),
      let token = decoded.token ?? decoded.accessToken, !token.isEmpty, token.utf8.count <= 32 << 10,
      token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { throw .answer(registry: host, "no token in its answer") }
    return token
  }

  /// A query (application/x-www-form-urlencoded).
  static func encoded(_ query: [(String, String)]) -> String {
    query.map { "\(encoded($0.0))=\(encoded($0.1))" }.joined(separator: "&")
  }

  static func encoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        result.append(byte)
      default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  // MARK: Answers

  private struct Errors: Decodable {
    struct Entry: Decodable {
      var code: String?
      var message: String?
    }
    var errors: [Entry]?
  }

  /// Why not, in the registry's words (OCI distribution specification, "error codes"); empty if it has none.
  static func words(_ answer: Exchange.Answer) -> String {
    guard let errors = (try? JSONDecoder().decode(Errors.self, from: Data(answer.body)))?.errors,
      let first = errors.first
    else { return "" }
    return String((first.message ?? first.code ?? "").prefix(200))
  }

  /// What an answer is that is not what was asked for.
  func refusal(_ answer: Exchange.Answer, of image: String) -> RegistryError {
    switch answer.status {
    case 401, 403: denied(wasTold: wasTold, answer)
    case 404: .noSuchImage(image)
    case 429: .busy(registry: source.host)
    default: unexpected(answer)
    }
  }

  /// The same where something was to be brought: no image was asked for.
  func refusal(_ answer: Exchange.Answer, bringing image: String) -> RegistryError {
    answer.status == 404 ? unexpected(answer) : refusal(answer, of: image)
  }

  private func unexpected(_ answer: Exchange.Answer) -> RegistryError {
    let words = Self.words(answer)
    return .answer(registry: source.host, "status \(answer.status)" + (words.isEmpty ? "" : " (\(words))"))
  }

  /// Whether there is a registry, and it takes these credentials.
  package func check() throws(RegistryError) {
    scopes = []
    let answer = try send(.get, "/v2/", limit: 1 << 20)
    guard answer.isSuccess else { throw refusal(answer, of: source.host) }
  }
}
