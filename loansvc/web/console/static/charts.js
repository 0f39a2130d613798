"use strict";
// Draws a table above itself: rows along the axis, one series for each column that asks for it. The
// table stays, for those who read it, print it, or have no script.

const root = getComputedStyle(document.documentElement);
const INK = root.getPropertyValue("--ink"), LINE = root.getPropertyValue("--line");
// Of Okabe and Ito, told apart without seeing colours; dashes and hatching are not needed for four.
const COLOURS = ["#0072b2", "#e69f00", "#d55e00", "#009e73", "#56b4e9", "#cc79a7", "#000000", "#f0e442"];
const drawn = [];

const MOST_ROWS = 20; // more are in the table alone
const value = (cell) => (cell?.dataset.value ? Number(cell.dataset.value) : null);

function series(table) {
  const heads = [...table.tHead.rows[0].cells];
  let rows = [...table.tBodies[0].rows].filter((row) => !row.hasAttribute("data-skip"));
  if (rows.length > MOST_ROWS && table.dataset.chart === "lying") {
    rows = rows.sort((a, b) => value(b.cells[1]) - value(a.cells[1])).slice(0, MOST_ROWS);
  }
  return {
    labels: rows.map((row) => row.cells[0].textContent.trim()),
    datasets: heads.flatMap((head, at) => (head.dataset.series === undefined ? [] : [{
      label: head.dataset.series || head.textContent.trim(), data: rows.map((row) => value(row.cells[at])),
    }])),
  };
}

function draw(table) {
  const {chart: kind, stacked, unit = "", title = ""} = table.dataset;
  const data = series(table);
  if (data.labels.length === 0) return;
  data.datasets.forEach((one, at) => Object.assign(one, {
    backgroundColor: COLOURS[at], borderColor: COLOURS[at], borderWidth: kind === "line" ? 2 : 0,
    pointRadius: 3, spanGaps: false, maxBarThickness: 26,
  }));
  const lying = kind === "lying"; // bars from left to right, for names that are long
  const figure = document.createElement("div");
  figure.className = "chart";
  if (lying) figure.style.height = `${5 + 1.7 * data.labels.length}rem`;
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", title);
  figure.append(canvas);
  (table.closest(".wide") ?? table).before(figure);
  const values = {beginAtZero: true, stacked: stacked !== undefined, grid: {color: LINE}, ticks: {color: INK, callback: (n) => n.toLocaleString() + unit}};
  const names = {stacked: stacked !== undefined, grid: {display: false}, ticks: {color: INK}};
  drawn.push(new Chart(canvas, {
    type: kind === "line" ? "line" : "bar", data,
    options: {
      animation: false, maintainAspectRatio: false, indexAxis: lying ? "y" : "x", locale: document.documentElement.lang,
      scales: lying ? {x: values, y: names} : {x: names, y: values},
      plugins: {legend: {display: data.datasets.length > 1, labels: {color: INK}}},
    },
  }));
}

Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
// What is folded away is drawn when it is opened: before, it has no width.
const folded = (table) => table.closest("details:not([open])");
document.fonts.ready.then(() => {
  for (const table of document.querySelectorAll("table[data-chart]")) {
    const fold = folded(table);
    if (fold) fold.addEventListener("toggle", () => draw(table), {once: true});
    else draw(table);
  }
});
addEventListener("beforeprint", () => drawn.forEach((one) => one.resize(640, 260)));
addEventListener("afterprint", () => drawn.forEach((one) => one.resize()));
