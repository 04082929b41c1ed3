//! The built page in two real browsers, driven by the scripts in `tests/browser` through puppeteer-core.
//!
//! The site is served under a path of its own, as static hosts do, by a server that breaks answers when a script
//! asks for it and lists what was fetched. Scripts get what they need in environment variables:
//!
//! | variable | holds |
//! |---|---|
//! | `PRONK_URL` | the server's address, ending with `/`; the page is at `pronk/` below it |
//! | `PRONK_BROWSER`, `PRONK_BROWSER_PATH` | `chromium` or `firefox`, and its program |
//! | `PRONK_PUPPETEER` | the file to import puppeteer-core from |
//! | `PRONK_ROOT` | the repository |
//! | `PRONK_DEMO_MODEL` | the demo model's file |
//! | `PRONK_FIXTURES` | a folder that is served at `fixtures/`, for files that scripts make |
//! | `PRONK_OUT` | a folder for pictures and figures |

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use xtask::serve::{Mount, Server, Site, TestHooks};

use crate::command::{command, output, run};
use crate::native::counted;
use crate::places::{Places, empty_folder};
use crate::report::step;
use crate::system::{self, Browser};
use crate::test::Tally;
use crate::{demo, site, tools};

/// Everything that scripts lean on, ready.
pub(crate) struct Stage {
    places: Places,
    server: Server,
    puppeteer: PathBuf,
    fixtures: PathBuf,
    model: PathBuf,
}

impl Stage {
    /// Builds the site, fetches the model and the driver, and starts the server, which serves `more` as well.
    pub(crate) fn set_up(places: &Places, more: &[Mount]) -> Result<Stage> {
        system::set_up()?;
        let model = demo::model(places)?;
        let folder = site::build(places)?;
        let puppeteer = tools::puppeteer(places)?;
        let fixtures = places.target.join("browser/fixtures");
        empty_folder(&fixtures)?;
        let mut mounts = vec![
            Mount { path: "/pronk/".to_owned(), folder },
            Mount { path: "/pronk/models/".to_owned(), folder: demo::folder(places) },
            Mount { path: "/fixtures/".to_owned(), folder: fixtures.clone() },
            Mount { path: "/pages/".to_owned(), folder: places.root.join("tests/browser/pages") },
        ];
        mounts.extend_from_slice(more);
        let server = Server::start(Site::new(mounts)?, 0, TestHooks::On)
            .context("The test server could not be started.")?;
        Ok(Stage { places: places.clone(), server, puppeteer, fixtures, model })
    }

    /// A script of `tests/browser`, to be run with one browser.
    pub(crate) fn script(&self, name: &str, browser: Browser) -> Result<Command> {
        let out = self.out(browser);
        std::fs::create_dir_all(&out)?;
        let mut node = command("node", [self.places.root.join("tests/browser").join(name)]);
        node.env("PRONK_URL", self.server.url())
            .env("PRONK_BROWSER", browser.name())
            .env("PRONK_BROWSER_PATH", browser.program()?)
            .env("PRONK_PUPPETEER", &self.puppeteer)
            .env("PRONK_ROOT", &self.places.root)
            .env("PRONK_DEMO_MODEL", &self.model)
            .env("PRONK_FIXTURES", &self.fixtures)
            .env("PRONK_OUT", out);
        system::with_lavapipe(&mut node)?;
        Ok(node)
    }

    /// Where scripts leave what they make.
    pub(crate) fn out(&self, browser: Browser) -> PathBuf {
        self.places.target.join("browser").join(browser.name())
    }
}

/// The tests of these suites, or of all if none is named, in every browser.
pub(crate) fn test(places: &Places, suites: &[&str]) -> Result<Tally> {
    let stage = Stage::set_up(places, &[])?;
    // If this fails, the test that compiles them does too, and says that there are none.
    if let Err(error) = step("Writing down all shaders", || write_shaders(&stage)) {
        println!("    FAILED: {error:#}");
    }
    let mut tally = Tally::default();
    for browser in Browser::ALL {
        let mut script = stage.script("test.mjs", browser)?;
        tally += step(format!("Testing the page in {}", browser.name()), || counted(script.args(suites)))?;
    }
    Ok(tally)
}

/// `[{"name", "wgsl", "needs_subgroups"}]` of every variant, where a page can fetch it. The kernels' example asks a
/// native device for them.
fn write_shaders(stage: &Stage) -> Result<()> {
    // Built with the workspace's features, as the native tests are: by itself it would compile wgpu anew.
    let mut build = command("cargo", ["build", "--quiet", "--workspace", "--exclude", "worker", "--example"]);
    run(build.arg("dump_wgsl").current_dir(&stage.places.root))?;
    let example = format!("debug/examples/dump_wgsl{}", std::env::consts::EXE_SUFFIX);
    let mut dump = Command::new(stage.places.target.join(example));
    let text = output(system::with_lavapipe(&mut dump)?);
    std::fs::write(stage.fixtures.join("wgsl.json"), text.as_deref().unwrap_or("[]"))?;
    text.map(drop)
}

/// Pictures of the page, for the README and for eyes.
pub(crate) fn screenshots() -> Result<()> {
    let places = Places::find()?;
    let stage = Stage::set_up(&places, &[])?;
    let out = places.target.join("screenshots");
    empty_folder(&out)?;
    let mut script = stage.script("screenshots.mjs", Browser::Chromium)?;
    step("Taking pictures of the page", || run(script.env("PRONK_OUT", &out)))?;
    println!("The pictures are in {}.", out.display());
    Ok(())
}
