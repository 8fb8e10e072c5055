//! The `tidegate` command. Everything is in the library.

use std::process::ExitCode;

// Many short-lived buffers of the same sizes from several threads: what mimalloc is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidegate::cli::main()
}
