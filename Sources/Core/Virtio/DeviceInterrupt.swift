/// How a device reaches its driver, by whatever its transport has for interrupts. Signals come from any thread.
protocol DeviceInterrupt: QueueInterrupt {
  /// The device's configuration or status has changed.
  func signalConfiguration()

  /// Forgets what the driver has set up, and what it has not yet seen.
  func reset()
}
