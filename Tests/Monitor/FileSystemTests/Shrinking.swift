/// The shortest sequence found that still fails, by leaving out ever smaller pieces (Zeller's delta debugging).
///
/// - Parameter fails: whether a sequence fails; `steps` does.
func shrink<Step>(_ steps: [Step], _ fails: ([Step]) -> Bool) -> [Step] {
  var steps = steps
  var size = max(1, steps.count / 2)
  while true {
    var start = 0
    var isShorter = false
    while start < steps.count {
      let shorter = Array(steps[..<start] + steps[min(start + size, steps.count)...])
      if shorter.count < steps.count, fails(shorter) {
        steps = shorter
        isShorter = true
      } else {
        start += size
      }
    }
    if size > 1 { size /= 2 } else if !isShorter { return steps }
  }
}
