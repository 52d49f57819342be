import CGuest

/// Disks that the machine's description gives names to.
enum Disks {
  /// Makes a link in /dev to each disk of `novm.disk=`, which is found by its serial number.
  static func link(_ arguments: KernelArguments) {
    guard !arguments.disks.isEmpty else { return }
    let devices = ((try? Files.names("/sys/block")) ?? []).map { device in
      (device, serial: (try? Files.contents("/sys/block/" + device + "/serial")) ?? [])
    }
    for (serial, name) in arguments.disks {
      guard let device = devices.first(where: { $0.serial == serial || $0.serial == serial + "\n" })?.0 else {
        Log.warning("no disk has the serial number " + serial)
        continue
      }
      let path = "/dev/" + name
      do throws(SystemError) { try Files.makeSymlink(path, to: device) } catch {
        Log.warning("cannot make " + path + ": " + error.text)
      }
      if Files.linkTarget(path) != device { Log.warning(path + " is something else already") }
    }
  }
}
