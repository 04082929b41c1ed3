//! What tests need of the system: two browsers and a GPU driver in software.
//!
//! A machine that has them is left as it is. Where they are missing, Debian's packages are installed if we may.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{answer, command, run};
use crate::report::step;

/// A browser that tests drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Browser {
    /// WebGPU on SwiftShader: Tint, subgroups.
    Chromium,
    /// WebGPU on lavapipe: naga, no subgroups.
    Firefox,
}

impl Browser {
    pub(crate) const ALL: [Browser; 2] = [Browser::Chromium, Browser::Firefox];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Browser::Chromium => "chromium",
            Browser::Firefox => "firefox",
        }
    }

    /// Its program.
    pub(crate) fn program(self) -> Result<PathBuf> {
        let names: &[&str] = match self {
            Browser::Chromium => &["chromium", "chromium-browser", "google-chrome"],
            Browser::Firefox => &["firefox-esr", "firefox"],
        };
        names.iter().find_map(|name| on_path(name)).with_context(|| format!("There is no {}.", self.name()))
    }
}

/// Installs what is missing, or says what to install.
pub(crate) fn set_up() -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let is_root = answer(&mut command("id", ["-u"])).as_deref() == Some("0");
    if !is_root || on_path("apt-get").is_none() {
        bail!(
            "Tests need these packages: {list}. On Debian: sudo apt-get install {list}. \
             Elsewhere: Chromium, Firefox, the Vulkan loader and Mesa's lavapipe driver."
        );
    }
    step(format!("Installing {list}"), || {
        run(&mut command("apt-get", ["update", "-qq"]))?;
        let mut install = command("apt-get", ["install", "-y", "-qq", "--no-install-recommends"]);
        run(install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive"))
    })
}

fn missing_packages() -> Vec<&'static str> {
    let has_loader = ["ldconfig", "/sbin/ldconfig"]
        .iter()
        .filter_map(|program| answer(&mut command(program, ["-p"])))
        .any(|libraries| libraries.contains("libvulkan.so.1"));
    let rows = [
        ("chromium", Browser::Chromium.program().is_ok()),
        ("firefox-esr", Browser::Firefox.program().is_ok()),
        ("mesa-vulkan-drivers", lavapipe_manifest().is_some()),
        ("libvulkan1", has_loader),
    ];
    rows.iter().filter(|(_, there)| !there).map(|(package, _)| *package).collect()
}

/// Leaves lavapipe as the only Vulkan driver that `command` sees, so that a machine with a GPU tests the same thing.
pub(crate) fn with_lavapipe(command: &mut Command) -> Result<&mut Command> {
    let manifest =
        lavapipe_manifest().context("Mesa's lavapipe is missing (Debian: mesa-vulkan-drivers).")?;
    Ok(with_driver(command, &manifest))
}

/// The same with the SwiftShader that comes with Chromium, which is a Vulkan driver as any other.
pub(crate) fn with_swiftshader(command: &mut Command) -> Result<&mut Command> {
    let folders = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];
    let manifests = folders.map(|folder| Path::new(folder).join("vk_swiftshader_icd.json"));
    let manifest = manifests.iter().find(|manifest| manifest.is_file());
    Ok(with_driver(command, manifest.context("Chromium's SwiftShader is missing (Debian: chromium).")?))
}

fn with_driver<'a>(command: &'a mut Command, manifest: &Path) -> &'a mut Command {
    // The driver complains on stderr where no session has set it, though it needs no window.
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").unwrap_or_else(|| std::env::temp_dir().into());
    // The loader's older and newer name for the same.
    command.env("VK_ICD_FILENAMES", manifest).env("VK_DRIVER_FILES", manifest);
    command.env("XDG_RUNTIME_DIR", runtime)
}

fn lavapipe_manifest() -> Option<PathBuf> {
    let folders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let is_lavapipe =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd"));
    entries.map(|entry| entry.path()).find(is_lavapipe)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| Path::is_file(path))
}
