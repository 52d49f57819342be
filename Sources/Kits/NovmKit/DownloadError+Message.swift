import Download

extension DownloadError {
  /// One line: what went wrong, and the mend.
  package var message: String {
    switch self {
    case .badAddress(let address): "\(address): give an address that begins with https:// or http://"
    case .status(404, let address): "\(address): the server has no such file (404)"
    case .status(let status, let address) where status == 401 || status == 403:
      "\(address): the server does not give it to everybody (\(status))"
    case .status(let status, let address): "\(address): the server answers \(status); try again later"
    case .connection(let address, let reason), .untrusted(let address, let reason): "\(address): \(reason)"
    case .cut(let address, let reason): "\(address): the connection was cut, several times (\(reason)); try again later"
    case .tooLarge(let address, let limit): "\(address): more than the \(limit) bytes that there is room for"
    case .write(let error): "the download cannot be written: \(error.description)"
    case .program(let path, let error): "\(path): cannot be run: \(error.description)"
    case .ended(let path, let status):
      "\(path): ended before the download did (\(status & 0x7f == 0 ? "status \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"))"
    }
  }
}
