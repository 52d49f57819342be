import Testing

@testable import Registry

struct AuthenticationChallengeTests {
  @Test func challenges() {
    #expect(
      AuthenticationChallenge.all(
        in: #"Bearer realm="https://auth.example.org/token",service="registry",scope="repository:a/b:pull,push""#) == [
          .init(
            scheme: "bearer",
            parameters: [
              "realm": "https://auth.example.org/token", "service": "registry", "scope": "repository:a/b:pull,push",
            ])
        ])
    #expect(
      AuthenticationChallenge.all(in: #"Basic realm="a \"b\"" , charset=UTF-8, Bearer realm=x"#) == [
        .init(scheme: "basic", parameters: ["realm": #"a "b""#, "charset": "UTF-8"]),
        .init(scheme: "bearer", parameters: ["realm": "x"]),
      ])
    #expect(AuthenticationChallenge.all(in: "Negotiate, Basic").map(\.scheme) == ["negotiate", "basic"])
  }

  @Test(arguments: ["", " , ,", "=", "\"", "Bearer realm=\"", "a=b", "é", String(repeating: "a,", count: 10_000)])
  func whatIsNone(text: String) {
    #expect(AuthenticationChallenge.all(in: text).allSatisfy { $0.parameters.isEmpty })
  }
}
