import CMachine

/// The kernel's end: a line on every console, and all processors stop that hear of it.
func panic(_ line: @autoclosure () -> Line) -> Never {
  Console.openAll()
  Console.line(line())
  halt()
}

func halt() -> Never {
  while true { m_halt() }
}
