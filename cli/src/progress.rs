//! Draws what a start does: one spinner per part on a terminal, one line per step otherwise (up.log), or nothing.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use local::{Progress, Step, silent};

/// Fast enough to look alive.
const TICK: Duration = Duration::from_millis(80);

/// What is drawn; ends with [`Bars::end`].
pub(crate) struct Bars(Option<MultiProgress>);

impl Bars {
    /// Clears the terminal for what comes then.
    pub(crate) fn end(self) {
        if let Some(bars) = self.0 {
            // A terminal that can't be cleared is left as it is.
            bars.clear().ok();
        }
    }
}

/// A listener to a start, and what it draws.
pub(crate) fn bars(quiet: bool) -> (Progress, Bars) {
    if quiet {
        return (silent(), Bars(None));
    }
    if !std::io::stderr().is_terminal() {
        return (Arc::new(|step| tell(&words(&step))), Bars(None));
    }
    let all = MultiProgress::new();
    let drawn = all.clone();
    let parts: Mutex<BTreeMap<String, ProgressBar>> = Mutex::default();
    let draw = move |step: Step| {
        let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
        let (Step::Started { what } | Step::Advanced { what, .. } | Step::Finished { what }) =
            &step;
        let part = parts
            .entry(what.clone())
            .or_insert_with(|| started(drawn.add(bar(what))));
        match &step {
            Step::Started { .. } => {}
            Step::Advanced { now, .. } => part.set_message(now.clone()),
            Step::Finished { .. } => part.finish_with_message("ready"),
        }
    };
    (Arc::new(draw), Bars(Some(all)))
}

/// A spinner with a name before it; its message says what it does now.
pub(crate) fn spinner(name: &str) -> ProgressBar {
    started(bar(name))
}

fn bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("  {prefix:<12} {spinner} {msg}")
        .expect("the template is a constant")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏✓");
    ProgressBar::new_spinner()
        .with_style(style)
        .with_prefix(name.to_owned())
        .with_message("starting")
}

/// Only now: a bar that turns before it has its place among others is drawn outside of it.
fn started(bar: ProgressBar) -> ProgressBar {
    bar.enable_steady_tick(TICK);
    bar
}

fn words(step: &Step) -> String {
    match step {
        Step::Started { what } => format!("{what}: starting"),
        Step::Advanced { what, now } => format!("{what}: {now}"),
        Step::Finished { what } => format!("{what}: ready"),
    }
}

#[expect(clippy::print_stderr, reason = "this is up.log, or somebody's CI log")]
fn tell(text: &str) {
    eprintln!("{text}");
}
