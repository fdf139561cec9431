//! Tells the program where libtorch lies, when it is built with the feature `deep`.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(lib) = env::var("DEP_TRANSLEARN_DEEP_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
