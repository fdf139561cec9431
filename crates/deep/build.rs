//! Compiles the C++ that tch lacks, and passes on where libtorch lies.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=native/gaps.cpp");
    // Cargo sets this for the feature `doc-only`: there may be no libtorch then, and nothing is linked.
    if env::var_os("CARGO_FEATURE_DOC_ONLY").is_some() {
        return;
    }
    let Some(lib) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        println!(
            "cargo:warning=torch-sys does not say where libtorch lies; `cargo xtask libtorch doctor` may know why"
        );
        return;
    };
    let include = env::var_os("LIBTORCH_INCLUDE").map_or_else(
        || lib.parent().map(PathBuf::from).unwrap_or_default(),
        PathBuf::from,
    );
    let include = include.join("include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        // The headers of libtorch are not ours to mend.
        .warnings(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .file("native/gaps.cpp")
        .compile("translearn_gaps");
    println!("cargo:rustc-link-lib=torch_cpu");
    println!("cargo:rustc-link-lib=c10");
    println!("cargo:rustc-link-search=native={}", lib.display());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    // For dependants, as `DEP_TRANSLEARN_DEEP_LIBTORCH_LIB`: their programs need the same run path.
    println!("cargo:libtorch_lib={}", lib.display());
}
