import Host

/// Foundation has a `Thread` too, and a class `Host` that hides the module's name.
typealias PosixThread = Thread
