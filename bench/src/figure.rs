//! What is measured, as values: the cost of a payment, one saturated run, and the figure that several runs make.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::numbers::{Spread, float_len};

/// What one process, or PostgreSQL with its children, used up for one payment.
#[derive(Debug, Clone, Serialize)]
pub struct Cost {
    /// CPU time, user and system.
    pub cpu_us_per_payment: f64,
    /// Resident memory at its highest since the process started; for PostgreSQL what its processes
    /// hold together at the end of the run.
    pub memory_mib: f64,
}

/// One saturated run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) per_second: f64,
    pub(crate) costs: BTreeMap<&'static str, Cost>,
}

impl Run {
    /// The run in payments, where it counted requests of so many payments each.
    pub(crate) fn of_batches(mut self, in_one: usize) -> Self {
        let in_one = float_len(in_one);
        self.per_second *= in_one;
        for cost in self.costs.values_mut() {
            cost.cpu_us_per_payment /= in_one;
        }
        self
    }
}

/// One figure, from one or several runs.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Its name in JSON.
    pub key: String,
    /// What it is, for people.
    pub title: String,
    /// `1/s`, `ratio`, `ms` or `MiB`.
    pub unit: &'static str,
    /// The figure.
    #[serde(flatten)]
    pub spread: Spread,
    /// What each process used up per payment, in the median run.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub costs: BTreeMap<&'static str, Cost>,
}

impl Figure {
    /// Without costs.
    pub(crate) fn new(key: &str, title: &str, unit: &'static str, values: &[f64]) -> Option<Self> {
        Some(Self {
            key: key.to_owned(),
            title: title.to_owned(),
            unit,
            spread: Spread::of(values)?,
            costs: BTreeMap::new(),
        })
    }

    /// Of saturated runs, with the costs of the median one.
    pub(crate) fn of_runs(key: &str, title: &str, runs: &[Run]) -> Option<Self> {
        let rates: Vec<f64> = runs.iter().map(|run| run.per_second).collect();
        let figure = Self::new(key, title, "1/s", &rates)?;
        let median = runs
            .iter()
            .find(|run| run.per_second.total_cmp(&figure.spread.median).is_eq())?;
        Some(Self {
            costs: median.costs.clone(),
            ..figure
        })
    }
}
