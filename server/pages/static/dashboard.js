// The page's figures by month as one chart, from the tables' own source. Without this script the columns and tables
// stay as they are.

const NUMBERS = ["firms", "demands", "loans", "queries", "authorizations"];
const COLOURS = ["#12508f", "#8a4b00", "#1b6b3a", "#6b2d8a", "#a1201d"];

const figure = document.getElementById("figure");
const county = new URLSearchParams(location.search).get("county") ?? "";
const titles = JSON.parse(figure?.dataset.titles ?? "{}");
const answer = figure ? await fetch("/v1/dashboard") : undefined;

if (answer?.ok) {
  const { cells } = await answer.json();
  const months = cells.filter((cell) => cell.county === county && cell.month);
  figure.hidden = false;
  // In this order the style sheet has the colours of the lines. The small build of the library draws no legend.
  const entries = NUMBERS.map((name) => Object.assign(document.createElement("li"), { textContent: titles[name] }));
  document.getElementById("legend").replaceChildren(...entries);
  const chart = globalThis.echarts.init(document.getElementById("chart"));
  chart.setOption({
    animation: false,
    color: COLOURS,
    grid: { left: 48, right: 16, top: 16, bottom: 32 },
    xAxis: { type: "category", data: months.map(({ month }) => `${Math.floor(month / 100)}-${String(month % 100).padStart(2, "0")}`) },
    yAxis: { type: "value" },
    // A figure that is not published is a gap, and not nought.
    series: NUMBERS.map((name) => ({ name: titles[name], type: "line", symbolSize: 8, connectNulls: false, data: months.map(({ counts }) => counts[name] ?? null) })),
  });
  addEventListener("resize", () => chart.resize());
}
