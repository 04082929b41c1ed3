//! The peers themselves, from npm: always the newest, since yesterday's is no measure.

use std::path::Path;

use anyhow::Result;

use crate::command::{command, run};
use crate::report::step;

const WLLAMA: &str = "@wllama/wllama";
const TRANSFORMERS_JS: &str = "@huggingface/transformers";

/// Puts them into `node_modules` of `folder`. What is there stays in use where npm reaches nothing.
pub(super) fn install(folder: &Path, with_transformers_js: bool) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let names = if with_transformers_js { &[WLLAMA, TRANSFORMERS_JS][..] } else { &[WLLAMA] };
    let mut install =
        command("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    install.arg("--prefix").arg(folder).args(names.iter().map(|name| format!("{name}@latest")));
    let installed =
        step(format!("Getting the newest {} from npm", names.join(" and ")), || run(&mut install));
    let are_there = names.iter().all(|name| folder.join("node_modules").join(name).is_dir());
    match installed {
        Err(error) if are_there => {
            println!("    {error:#} Those of an earlier run are measured, which may be older.");
            Ok(())
        }
        result => result,
    }
}
