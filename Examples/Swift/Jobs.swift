import Foundation
import Novm

extension Examples {
  /// Counts the lines of each file of a directory, on machines that share the work.
  static func jobs(_ directory: String, machines count: Int) async throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: directory)
    let files = Files(names)
    var description = Description()
    try description.set("memory", "256M")
    try description.add(.read(directory, at: "/work"))
    let pool = try Pool(Store(), description, size: count)
    let lines = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<count {
        group.addTask {
          // Job after job, each on a machine that is free.
          var lines = 0
          while let name = await files.take() {
            let machine = try pool.take()
            let command = try machine.run(Command("wc", "-l", "/work/\(name)"))
            guard try await command.end() == 0 else { throw Failure(.command, text(command.error)) }
            lines += Int(text(command.output).prefix { $0 != " " }) ?? 0
            try pool.give(machine, isReused: true)
          }
          return lines
        }
      }
      return try await group.reduce(0, +)
    }
    pool.close()
    print("\(names.count) files, \(lines) lines")
  }

  private actor Files {
    private var names: [String]

    init(_ names: [String]) { self.names = names }

    func take() -> String? { names.popLast() }
  }
}
