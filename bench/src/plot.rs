//! Latency against offered load, as an SVG that needs nothing but a browser. Both axes are logarithmic.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::latency::{Entrance, Latency, Percentiles};
use crate::numbers::{Spread, grouped};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 52.0;

/// Name, colour, dashes, way in, percentile.
type Curve = (
    &'static str,
    &'static str,
    &'static str,
    Entrance,
    fn(&Percentiles) -> f64,
);
const CURVES: [Curve; 6] = [
    ("HTTP p99", "#b3261e", "", Entrance::Http, |at| at.p99_ms),
    ("HTTP p50", "#b3261e", "5 4", Entrance::Http, |at| at.p50_ms),
    ("door p99", "#2e7d32", "", Entrance::Door, |at| at.p99_ms),
    ("door p50", "#2e7d32", "5 4", Entrance::Door, |at| at.p50_ms),
    ("NATS p99", "#1557b0", "", Entrance::Direct, |at| at.p99_ms),
    ("NATS p50", "#1557b0", "5 4", Entrance::Direct, |at| {
        at.p50_ms
    }),
];

/// From the lowest to the highest value, by powers of ten and their halves.
struct Axis {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let share = (value.max(self.from) / self.from).log10() / (self.to / self.from).log10();
        self.start + share * (self.end - self.start)
    }

    fn ticks(&self) -> Vec<f64> {
        let powers = (-2..=6).flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10_f64.powi(power)));
        powers
            .filter(|tick| (self.from * 0.999..=self.to * 1.001).contains(tick))
            .collect()
    }
}

/// What was measured at one rate.
struct Point {
    rate: f64,
    ms: f64,
    /// If not, the latency shows how long the run took rather than how long a payment takes.
    kept_up: bool,
}

/// The plot, or nothing when no curve was measured.
pub(crate) fn svg(latencies: &[Latency], caption: &str) -> Option<String> {
    let highest = latencies.iter().map(|at| at.end_to_end.p99_ms);
    let highest = highest.max_by(f64::total_cmp)?;
    let offered = || latencies.iter().map(|at| f64::from(at.offered_per_s));
    let x = Axis {
        from: offered().min_by(f64::total_cmp)?,
        to: offered().max_by(f64::total_cmp)?.max(200.0),
        start: LEFT,
        end: WIDTH - RIGHT,
    };
    let y = Axis {
        from: 0.5,
        to: (highest * 1.3).max(100.0),
        start: HEIGHT - BOTTOM,
        end: TOP,
    };
    let mut svg = frame(&x, &y, caption);
    let mut row = TOP + 10.0;
    for (name, colour, dashes, door, pick) in CURVES {
        let points = points(latencies, door, pick);
        if points.is_empty() {
            continue;
        }
        let path: Vec<String> = points
            .iter()
            .map(|point| format!("{:.1} {:.1}", x.at(point.rate), y.at(point.ms)))
            .collect();
        let line = format!(
            "fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\""
        );
        add(
            &mut svg,
            format_args!("<path d=\"M{}\" {line}/>\n", path.join("L")),
        );
        for point in &points {
            let (fill, remark) = if point.kept_up {
                (colour, "")
            } else {
                ("#fff", ", did not keep up")
            };
            let rate = grouped(point.rate);
            let title = format!("{name} at {rate}/s: {:.1} ms{remark}", point.ms);
            let place = (x.at(point.rate), y.at(point.ms));
            circle(&mut svg, place, fill, colour, &title);
        }
        let start = WIDTH - RIGHT + 16.0;
        add(
            &mut svg,
            format_args!(
                "<path d=\"M{start} {row}h24\" {line}/><text x=\"{:.1}\" y=\"{:.1}\">{name}</text>\n",
                start + 32.0,
                row + 4.0
            ),
        );
        row += 22.0;
    }
    if latencies.iter().any(|latency| !latency.kept_up) {
        let title = "did not keep up";
        let start = WIDTH - RIGHT + 28.0;
        circle(&mut svg, (start, row), "#fff", "#222", title);
        let (x, y) = (start + 20.0, row + 4.0);
        add(
            &mut svg,
            format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\">{title}</text>\n"),
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// One curve: its rates from the lowest on.
fn points(latencies: &[Latency], entrance: Entrance, pick: fn(&Percentiles) -> f64) -> Vec<Point> {
    let mut runs: BTreeMap<u32, Vec<&Latency>> = BTreeMap::new();
    for latency in latencies
        .iter()
        .filter(|latency| latency.entrance == entrance)
    {
        runs.entry(latency.offered_per_s).or_default().push(latency);
    }
    // A rate that was measured several times shows its median: a plot must not be luckier than the table.
    let points = runs.into_iter().filter_map(|(rate, runs)| {
        let values: Vec<f64> = runs.iter().map(|run| pick(&run.end_to_end)).collect();
        Some(Point {
            rate: f64::from(rate),
            ms: Spread::of(&values)?.median,
            kept_up: runs.iter().all(|run| run.kept_up),
        })
    });
    points.collect()
}

/// Everything but the curves.
fn frame(x: &Axis, y: &Axis, caption: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"15\" font-weight=\"600\">From the intended send to the \
         answer, against offered load</text>\n\
         <text x=\"{LEFT}\" y=\"37\" fill=\"#666\">{caption}</text>\n"
    );
    for tick in y.ticks() {
        let at = y.at(tick);
        let (end, label) = (x.end, grouped_tick(tick));
        add(
            &mut svg,
            format_args!(
                "<path d=\"M{LEFT} {at:.1}H{end}\" stroke=\"#e4e4e4\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label} ms</text>\n",
                LEFT - 8.0,
                at + 4.0
            ),
        );
    }
    for tick in x.ticks() {
        let (at, foot) = (x.at(tick), y.start);
        add(
            &mut svg,
            format_args!(
                "<path d=\"M{at:.1} {TOP}V{foot}\" stroke=\"#f0f0f0\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                foot + 18.0,
                grouped_tick(tick)
            ),
        );
    }
    add(
        &mut svg,
        format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">payments offered a second</text>\n",
            f64::midpoint(x.start, x.end),
            HEIGHT - 12.0
        ),
    );
    svg
}

fn circle(svg: &mut String, (cx, cy): (f64, f64), fill: &str, stroke: &str, title: &str) {
    add(
        svg,
        format_args!(
            "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"3.5\" fill=\"{fill}\" stroke=\"{stroke}\" \
             stroke-width=\"1.5\"><title>{title}</title></circle>\n"
        ),
    );
}

fn add(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a String takes all");
}

fn grouped_tick(tick: f64) -> String {
    if tick < 1.0 {
        format!("{tick}")
    } else {
        grouped(tick.round())
    }
}
