//! The report of a result folder: `summary.json`, `report.md`, `report.html` and the plots, from results alone.
//!
//! `report.html` is one file: style and drawings are in it, it loads nothing and runs nothing. `report.md` says the same
//! and shows the drawings that lie beside it in `plots/`. `relatedness.html` is the page of `cargo xtask relate`.

mod advice;
mod curve;
mod details;
mod figure;
mod format;
mod gates;
mod learning;
mod overview;
mod relatedness;
mod terminal;
mod view;

use std::fs;
use std::io;
use std::path::Path;

use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;

pub(crate) use advice::{advice_text, write_advice};
pub(crate) use relatedness::{relatedness_table, write_relatedness};
pub use terminal::terminal_table;

use crate::TrialRecord;
use crate::plan::PlanFile;
use crate::summary::Summary;
use view::{FigureView, View};

/// By name: the pages, and what they share.
const TEMPLATES: [(&str, &str); 6] = [
    ("page.html", include_str!("page.html")),
    ("parts.html", include_str!("parts.html")),
    ("report.html", include_str!("report.html")),
    ("report.md", include_str!("report.md")),
    ("advice.html", include_str!("advice.html")),
    ("relatedness.html", include_str!("relatedness.html")),
];
const STYLE: &str = include_str!("style.css");

/// Writes `summary.json`, `report.md`, `report.html` and `plots/*.svg` into a result folder; plots of an earlier report
/// that this one does not have are removed.
///
/// # Errors
/// What the file system says.
pub fn write(
    folder: &Path,
    plan: &PlanFile,
    summary: &Summary,
    records: &[TrialRecord],
) -> io::Result<()> {
    let view = View::new(plan, summary, records);
    let environment = environment().map_err(io::Error::other)?;
    let render = |name| {
        let template = environment.get_template(name).map_err(io::Error::other)?;
        template
            .render(minijinja::context! { report => Serde(&view), style => STYLE })
            .map_err(io::Error::other)
    };
    let json = serde_json::to_string_pretty(summary)?;
    write_plots(&folder.join("plots"), &view)?;
    put(folder, "summary.json", &format!("{json}\n"))?;
    put(folder, "report.md", &render("report.md")?)?;
    put(folder, "report.html", &render("report.html")?)
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    environment.set_syntax(syntax);
    environment.add_filter("md", |text: String| escape_markdown(&text));
    // Escapes what `.html` shows; the drawings and the style are marked as safe there.
    for (name, template) in TEMPLATES {
        environment.add_template(name, template)?;
    }
    Ok(environment)
}

/// Text that Markdown shows as it is, in a cell of a table too.
fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '#' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    // What looks like an address becomes a link without being asked.
    escaped
        .replace("://", ":&#47;&#47;")
        .replace("www.", "www&#46;")
}

fn write_plots(folder: &Path, view: &View) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            fs::remove_file(path)?;
        }
    }
    let overviews = view
        .overviews
        .iter()
        .map(|overview| (&overview.id, &overview.figure));
    let curves = view.curves.iter().map(|curve| (&curve.id, &curve.figure));
    let tasks = view.tasks.iter().map(|task| (&task.id, &task.figure));
    for (id, FigureView { svg, .. }) in overviews.chain(curves).chain(tasks) {
        fs::write(folder.join(format!("{id}.svg")), svg)?;
    }
    Ok(())
}

/// Replaces a file, so that whoever reads meanwhile sees the old one or the new one.
fn put(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let temporary = folder.join(format!(".writing-{name}"));
    fs::write(&temporary, text)?;
    fs::rename(&temporary, folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_shows_names_as_they_are() {
        assert_eq!(escape_markdown("a|b_c<d>"), "a\\|b\\_c&lt;d&gt;");
        assert_eq!(escape_markdown("see http://x.y"), "see http:&#47;&#47;x.y");
    }
}
