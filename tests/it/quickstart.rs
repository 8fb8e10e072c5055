//! `tidegate quickstart`, where it cannot start. That it works is held by `scripts/sdk-test`.

use std::net::TcpListener;
use std::process::{Command, Stdio};

#[test]
fn quickstart_a_taken_port_is_told_with_its_option_and_before_any_greeting() {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port().to_string();
    let (taken, free) = (bind(), bind());
    let (taken_port, free_port) = (port(&taken), port(&free));
    drop(free);
    for (option, other) in [("--port", "--admin-port"), ("--admin-port", "--port")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["quickstart", option, &taken_port, other, &free_port]).stdin(Stdio::null());
        let done = command.output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success(), "{told}");
        assert!(told.starts_with(&format!("error: cannot listen on port {taken_port}: ")), "{told}");
        assert!(told.trim_end().ends_with(&format!("; choose another one with {option}")), "{told}");
        assert!(done.stdout.is_empty(), "{}", String::from_utf8_lossy(&done.stdout));
    }
}
