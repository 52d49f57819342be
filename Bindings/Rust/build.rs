//! Where libnovm is: what `NOVM_LIBRARY_PATH` says, or what the linker finds by itself.
fn main() {
    if let Ok(path) = std::env::var("NOVM_LIBRARY_PATH") {
        println!("cargo:rustc-link-search=native={path}");
    }
    println!("cargo:rerun-if-env-changed=NOVM_LIBRARY_PATH");
}
