import CGuest

/// Memory that outlives the machine. Its devices come a moment after their driver.
enum PersistentMemory {
  /// How long they may take, in milliseconds.
  private static let patience: Int64 = 5000

  /// Waits for each of `novm.pmem=`, and has the kernel refuse writes to what can only be read: virtio-pmem has no way to say
  /// so, and the host would drop them.
  static func prepare(_ arguments: KernelArguments) {
    let end = Clock.milliseconds + patience
    for (number, isReadOnly) in arguments.persistentMemory {
      let path = "/dev/pmem" + number
      while !Files.exists(path), Clock.milliseconds < end { Clock.sleep(milliseconds: 5) }
      guard Files.exists(path) else {
        Log.warning("there is no " + path + "; the kernel needs virtio_pmem and nd_pmem")
        continue
      }
      guard isReadOnly else { continue }
      do throws(SystemError) {
        _ = try Descriptor.open("/sys/bus/nd/devices/region" + number + "/read_only", O_WRONLY).write("1")
      } catch {
        Log.warning("cannot keep " + path + " from being written to: " + error.text)
      }
    }
  }
}
