import Host
import Images
import NovmKit
import Packs

extension Store {
  /// The images, by their names.
  public func images() throws(Failure) -> [Image] {
    try told(NovmError.image) { () throws(ImageError) in try machines.images.list().map(Image.init) }
  }

  /// The image of a name or identifier, or of the beginning of just one identifier.
  public func image(_ name: String) throws(Failure) -> Image {
    Image(try told(NovmError.image) { () throws(ImageError) in try machines.images.find(name) })
  }

  /// Takes a name from an image, and removes the image with its last name; by an identifier the image, if it has one name at most.
  ///
  /// - Parameter all: by an identifier, also one that has more.
  /// - Throws: ``Failure/Code/inUse`` if a machine is made of it.
  public func removeImage(_ name: String, all: Bool = false) throws(Failure) {
    try told(NovmError.image) { () throws(ImageError) in
      _ = try machines.images.remove(name, force: all, users: machines.packUsers)
    }
  }

  /// Brings an image in from a registry, as `novm pull` does: with the credentials, certificates and configuration of this user.
  /// What is here already is not fetched.
  ///
  /// A process that is no child of this one does it, and ends when this call does.
  ///
  /// - Parameters:
  ///   - patience: what it has for that.
  ///   - progress: is told what goes on, in lines for a person, on the thread that calls, at least once a second; false gives it up.
  /// - Throws: ``Failure/Code/missing``, ``Failure/Code/refused`` by the registry, ``Failure/Code/canceled``, ``Failure/Code/timedOut``.
  public func pull(
    _ name: String, patience: Duration = .forever, progress: (String) -> Bool = { _ in true }
  ) throws(Failure) -> Image {
    let errand = Errand(.pullImage, [ByteString.bytes(name)])
    // By its name it may be another one by now.
    return try image(errand.run(by: machines, until: patience.deadline, progress))
  }
}

extension Machine {
  /// Makes an image of what it wrote to `/`, as a layer above those of the image that it was made of. It must not run.
  ///
  /// - Parameters:
  ///   - name: what it is called; it may have none.
  ///   - message: what was changed, for its history.
  /// - Throws: ``Failure/Code/description`` for a machine that was not made of an image, ``Failure/Code/running``.
  public func commit(
    toImage name: String?, author: String? = nil, message: String? = nil
  ) throws(Failure) -> Image {
    var references: [ImageReference] = []
    if let name {
      guard let reference = ImageReference(name), reference.digest == nil else {
        throw Failure(.argument, ImageError.reference(name).message, about: name)
      }
      references = [reference]
    }
    return try reading { (record, changes) throws(NovmError) in
      let base = try machines.imageBelow(record)
      let words = ImageCommit(origin: "machine \(record.name)", author: author, message: message)
      do throws(ImageError) {
        return Image(try machines.images.commit(changes, above: base, words, references: references))
      } catch {
        throw .image(error)
      }
    }
  }
}
