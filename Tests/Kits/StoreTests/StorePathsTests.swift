import Testing

@testable import Store

struct StorePathsTests {
  private func paths(_ environment: [String: String], userID: UInt32 = 1000) -> StorePaths {
    StorePaths(environment: environment, userID: userID, home: "/home/u", workingDirectory: "/work")
  }

  @Test func defaultsOfAUserAndOfRoot() {
    let user = paths([:])
    #expect(user.kernels == "/home/u/.local/share/novm/kernels")
    #expect(user.machines == "/home/u/.local/share/novm/machines")
    #expect(user.runtime == "/tmp/novm-1000")
    let root = paths(["XDG_DATA_HOME": "/home/u/data", "XDG_RUNTIME_DIR": "/run/user/1000"], userID: 0)
    #expect(root.kernels == "/var/lib/novm/kernels")
    #expect(root.runtime == "/run/novm")
  }

  @Test func variablesGoFromTheMostSpecialToTheMostGeneral() {
    var environment = ["XDG_DATA_HOME": "/data", "XDG_RUNTIME_DIR": "/run/user/1000"]
    #expect(paths(environment).kernels == "/data/novm/kernels")
    #expect(paths(environment).runtime == "/run/user/1000/novm")
    environment["NOVM_ROOT"] = "/novm"
    #expect(paths(environment).kernels == "/novm/kernels")
    #expect(paths(environment).machines == "/novm/machines")
    environment["NOVM_KERNELS"] = "/kernels"
    environment["NOVM_INSTANCES"] = "/instances"
    #expect(paths(environment).kernels == "/kernels")
    #expect(paths(environment).machines == "/instances")
  }

  @Test func emptyAndRelativeValues() {
    #expect(paths(["NOVM_KERNELS": ""]).kernels == "/home/u/.local/share/novm/kernels")
    #expect(paths(["NOVM_KERNELS": "here"]).kernels == "/work/here")
    #expect(paths(["XDG_DATA_HOME": "relative"]).root == "/home/u/.local/share/novm")
  }
}
