/// An MTD: which state a message carries.
package struct MessageDescriptor: OptionSet, Equatable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// RAX, RCX, RDX, RBX.
  package static let registersAtoB = Self(rawValue: 1 << 0)
  /// RBP, RSI, RDI.
  package static let registersBPSIDI = Self(rawValue: 1 << 1)
  package static let stackPointer = Self(rawValue: 1 << 2)
  package static let instructionPointer = Self(rawValue: 1 << 3)
  package static let flags = Self(rawValue: 1 << 4)
  package static let segmentsDE = Self(rawValue: 1 << 5)
  package static let segmentsFG = Self(rawValue: 1 << 6)
  package static let segmentsCS = Self(rawValue: 1 << 7)
  package static let taskRegister = Self(rawValue: 1 << 8)
  package static let localTable = Self(rawValue: 1 << 9)
  package static let globalTable = Self(rawValue: 1 << 10)
  package static let interruptTable = Self(rawValue: 1 << 11)
  package static let controlRegisters = Self(rawValue: 1 << 12)
  package static let debugRegister = Self(rawValue: 1 << 13)
  package static let sysenter = Self(rawValue: 1 << 14)
  package static let qualification = Self(rawValue: 1 << 15)
  package static let controls = Self(rawValue: 1 << 16)
  package static let injection = Self(rawValue: 1 << 17)
  package static let states = Self(rawValue: 1 << 18)
  package static let timeStamp = Self(rawValue: 1 << 19)
  package static let efer = Self(rawValue: 1 << 20)
  package static let pageDirectories = Self(rawValue: 1 << 21)
  package static let registers8to15 = Self(rawValue: 1 << 22)
  package static let syscallRegisters = Self(rawValue: 1 << 23)
  package static let taskPriority = Self(rawValue: 1 << 24)
  package static let timeStampAux = Self(rawValue: 1 << 25)
  package static let extendedControl = Self(rawValue: 1 << 26)
  package static let floatingPoint = Self(rawValue: 1 << 31)
}
