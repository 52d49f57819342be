import ArgumentParser

/// When an image is pulled of which a machine is made, by the words of Docker and Podman.
enum PullPolicy: String, ExpressibleByArgument, CaseIterable {
  /// Whatever is there; what a registry has not cannot be had.
  case always
  /// What is not there.
  case missing
  case never
  /// What a registry has another one of; what cannot be asked about is had as it is.
  case newer
}

/// The platform that people ask for: machines are of one.
enum Platform: String, ExpressibleByArgument, CaseIterable {
  case full = "linux/amd64"
  case short = "amd64"
}
