//! `cargo xtask run`: from a clone to the app in a browser.

use std::io::ErrorKind;

use anyhow::{Context, Result};
use xtask::serve::{Mount, Server, Site, TestHooks};

use crate::places::Places;
use crate::report::step;
use crate::{demo, site};

/// Where the app is served if nobody says otherwise.
pub(crate) const DEFAULT_PORT: u16 = 8080;

/// Sets everything up and serves until Ctrl-C.
pub(crate) fn run(port: u16) -> Result<()> {
    let places = Places::find()?;
    demo::model(&places)?;
    let folder = site::build(&places)?;
    let site = Site::new(vec![
        Mount { path: "/".to_owned(), folder },
        Mount { path: "/models/".to_owned(), folder: demo::folder(&places) },
    ])?;
    let server = step("Starting the server", || start(site, port))?;
    println!("\nOpen {} in a browser with WebGPU. Ctrl-C ends the server.", server.url());
    server.wait();
    Ok(())
}

/// At `port` or, if that is taken, at one that is free.
fn start(site: Site, port: u16) -> Result<Server> {
    match Server::start(site.clone(), port, TestHooks::Off) {
        Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
            println!("    Port {port} cannot be used ({error}); taking a free one.");
            Server::start(site, 0, TestHooks::Off).context("No port could be opened on this machine.")
        }
        other => other.context("The server could not be started."),
    }
}
