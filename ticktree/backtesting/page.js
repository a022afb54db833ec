"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const FEW = 3; // instruments that are drawn below one another; of more, one is chosen
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const SERIES = ["one", "two", "three", "four", "five"];
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  const names = [...new Set([...data.positions, ...data.money].map((one) => one.strategy).filter(Boolean))].sort();
  const several = names.length > 1;
  const line = (strategy) => {
    const at = names.indexOf(strategy);
    if (at < 0) return { color: colour("ink"), width: 2 };
    const dash = DASHES[Math.floor(at / SERIES.length) % DASHES.length];
    return { color: colour(SERIES[at % SERIES.length]), width: 1.4, dash };
  };
  // Names are the user's: plotly reads a few tags in texts, so none may look like one.
  const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const middles = (one) => one.bid.map((bid, at) => (bid === null || one.ask[at] === null ? null : (bid + one.ask[at]) / 2));
  // By name, not by what to leave out: plotly's own choice has a button that opens its makers' site with the chart in it.
  const CONFIG = {
    displaylogo: false, responsive: true, plotlyServerURL: "",
    modeBarButtons: [["toImage"], ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  };

  const base = (height) => ({
    height,
    margin: { l: 76, r: 16, t: 28, b: 40 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("muted") },
    hovermode: "closest",
    hoverlabel: { align: "left", bgcolor: colour("raised"), bordercolor: colour("line"), font: { color: colour("ink") } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("middle"), activecolor: colour("accent") },
    dragmode: "zoom",
  });
  const axis = (more) => ({
    gridcolor: colour("grid"), linecolor: colour("line"), zerolinecolor: colour("line"), zeroline: false,
    automargin: true, exponentformat: "none", ...more,
  });

  const legend = (y) => ({ orientation: "h", x: 0, xanchor: "left", y, yanchor: "bottom", font: { color: colour("ink") } });

  const held = new Map(); // legend entries that were given already
  const once = (key) => (held.has(key) ? false : Boolean(held.set(key, true)));

  const TOLD = ["quantity", "strategy", "fee", "liquidity", "order"];
  const fills = (one, y) => ["buy", "sell"].map((side) => {
    const at = one.fills.side.flatMap((is, index) => (is === side ? [index] : []));
    const of = (column) => at.map((index) => one.fills[column][index]);
    return {
      type: "scatter", mode: "markers", yaxis: y, name: side === "buy" ? "bought" : "sold",
      legendgroup: side, showlegend: at.length > 0 && once(side),
      x: of("time_ms"), y: of("price"),
      customdata: at.map((index) => TOLD.map((key) => safe(one.fills[key][index]))),
      marker: {
        color: colour(side), size: at.length > 500 ? 6 : 9, symbol: side === "buy" ? "triangle-up" : "triangle-down",
        line: { color: colour("paper"), width: at.length > 500 ? 0 : 1 },
      },
      hovertemplate: `<b>${side} %{customdata[0]} @ %{y:,}</b><br>%{x|%Y-%m-%d %H:%M:%S.%L} UTC<br>%{customdata[1]}`
        + " as %{customdata[3]}<br>fee %{customdata[2]}<br>order %{customdata[4]}<extra></extra>",
    };
  });

  const price = (one, y) => [
    {
      type: "scatter", mode: "lines", x: data.times_ms, y: one.bid, yaxis: y, line: { width: 0 }, showlegend: false,
      hoverinfo: "skip",
    },
    {
      type: "scatter", mode: "lines", x: data.times_ms, y: one.ask, yaxis: y, line: { width: 0 }, fill: "tonexty",
      fillcolor: colour("band"), showlegend: false, hoverinfo: "skip",
    },
    {
      type: "scatter", mode: "lines", x: data.times_ms, y: middles(one), yaxis: y, name: "middle", legendgroup: "middle",
      showlegend: once("middle"), line: { color: colour("middle"), width: 1.2 },
      hovertemplate: "%{y:,}<br>%{x|%H:%M:%S}<extra>middle</extra>",
    },
    ...fills(one, y),
  ];

  const positions = (one, y) => data.positions.filter((series) => series.instrument === one.instrument).map((series) => ({
    type: "scatter", mode: "lines", x: data.times_ms, y: series.quantity, yaxis: y, name: safe(series.strategy),
    legendgroup: `s ${series.strategy}`, showlegend: once(`s ${series.strategy}`),
    line: { ...line(series.strategy), shape: "hv" },
    hovertemplate: `%{y:,}<br>%{x|%H:%M:%S}<extra>${safe(series.strategy)}</extra>`,
  }));

  const money = (currency, y, column) => data.money.filter((series) => series.currency === currency)
    .filter((series) => column === "net" || !several || series.strategy === "")
    .map((series) => ({
      type: "scatter", mode: "lines", x: data.times_ms, y: series[column], yaxis: y, name: safe(series.strategy || "all"),
      legendgroup: `s ${series.strategy}`, showlegend: column === "net" && once(`s ${series.strategy}`),
      line: column === "net" ? line(series.strategy) : { color: colour("fall"), width: 1 },
      fill: column === "net" ? "none" : "tozeroy",
      hovertemplate: `%{y:,.4~f} ${safe(currency)}<br>%{x|%H:%M:%S}<extra>${safe(series.strategy || "all")}</extra>`,
    }));

  const rows = (chosen) => {
    const shown = data.instruments.length > FEW ? [data.instruments[chosen]] : data.instruments;
    const every = [...new Set(data.money.map((one) => one.currency))];
    const currencies = every.length <= FEW ? every : every.filter((one) => shown.some((is) => is.currency === one));
    return [
      ...shown.flatMap((one) => [
        { title: `${one.instrument}: middle and fills, ${one.currency}`, height: 300, traces: (y) => price(one, y) },
        ...(data.positions.some((series) => series.instrument === one.instrument)
          ? [{ title: `${one.instrument}: position`, height: 110, zero: true, traces: (y) => positions(one, y) }] : []),
      ]),
      ...currencies.flatMap((one) => [
        { title: `Net profit, ${one}`, height: 210, zero: true, traces: (y) => money(one, y, "net") },
        {
          title: `Drawdown${several ? " of all" : ""}, ${one}`, height: 110, zero: true,
          traces: (y) => money(one, y, "drawdown"),
        },
      ]),
    ];
  };

  const course = (chosen) => {
    held.clear();
    const GAP = 34, TOP = 64, BOTTOM = 48, drawn = rows(chosen);
    if (drawn.length === 0) {
      document.getElementById("course-chart").textContent = "Nothing was sampled.";
      return null;
    }
    const inner = drawn.reduce((sum, row) => sum + row.height + GAP, -GAP);
    const layout = base(inner + TOP + BOTTOM);
    layout.margin.t = TOP;
    layout.legend = legend(1 + 24 / inner);
    layout.annotations = [];
    const ends = [data.times_ms[0], data.times_ms[data.times_ms.length - 1]];
    layout.xaxis = axis({
      type: "date", anchor: `y${drawn.length}`, ...(data.times_ms.length > 1 ? { range: ends } : {}),
      showspikes: true, spikemode: "across", spikesnap: "cursor", spikethickness: 1, spikedash: "solid",
      spikecolor: colour("middle"), title: { text: "time, UTC" },
    });
    const traces = [];
    let top = inner;
    drawn.forEach((row, index) => {
      const low = Math.max(0, (top - row.height) / inner), high = Math.min(1, top / inner), number = index + 1;
      layout[`yaxis${number}`] = axis({
        type: "linear", domain: [low, high], anchor: "x", zeroline: Boolean(row.zero), nticks: row.height > 200 ? 8 : 4,
      });
      layout.annotations.push({
        text: `<b>${safe(row.title)}</b>`, xref: "paper", yref: "paper", x: 0, y: high, xanchor: "left", yanchor: "bottom",
        showarrow: false, font: { size: 12, color: colour("ink") },
      });
      traces.push(...row.traces(`y${number}`));
      top -= row.height + GAP;
    });
    layout.yaxis = layout.yaxis1;
    delete layout.yaxis1;
    traces.forEach((trace) => { if (trace.yaxis === "y1") trace.yaxis = "y"; });
    if (drawn.length === 1) layout.xaxis.anchor = "y";
    return Plotly.react("course-chart", traces, layout, CONFIG);
  };

  const slippage = () => {
    const place = document.getElementById("slippage-chart"), seen = data.slippage;
    if (seen === null) { place.textContent = "No middle was known when orders were filled."; return; }
    const step = (seen.high_bp - seen.low_bp) / seen.taker.length;
    const bars = (name, paint) => ({
      type: "bar", name, showlegend: true, x: seen[name].map((_, at) => seen.low_bp + (at + 0.5) * step),
      y: seen[name], width: step,
      marker: { color: colour(paint), line: { color: colour("paper"), width: 1 } },
      hovertemplate: "%{y} fills at %{x:.2f} bp<extra>" + name + "</extra>",
    });
    const layout = base(300);
    layout.barmode = "stack";
    layout.legend = legend(1.02);
    layout.xaxis = axis({ title: { text: "slippage, bp" }, zeroline: true });
    layout.yaxis = axis({ title: { text: "fills" }, rangemode: "tozero" });
    const made = [["taker", "three"], ["maker", "four"]].filter(([name]) => seen[name].some(Boolean));
    const traces = made.map(([name, paint]) => bars(name, paint));
    return Plotly.react(place, traces, layout, CONFIG);
  };

  const markouts = () => {
    const at = ["at the fill", ...data.horizons_s.map((one) => `${one} s`)];
    if (!data.markouts.some((one) => one.bp.some((value) => value !== null))) {
      document.getElementById("markout-chart").textContent = "No middle was known after orders were filled.";
      return null;
    }
    const currencies = new Set(data.markouts.map((one) => one.currency));
    const label = (one) => safe(`${one.strategy || "all"}${currencies.size > 1 ? ` ${one.currency}` : ""}`);
    const layout = base(300);
    layout.legend = legend(1.02);
    layout.xaxis = axis({ type: "category", title: { text: "after the fill" } });
    layout.yaxis = axis({ title: { text: "markout, bp" }, zeroline: true });
    const traces = data.markouts.filter((one) => several || one.strategy).map((one) => ({
      type: "scatter", mode: "lines+markers", x: at, y: one.bp, name: label(one), showlegend: true, line: line(one.strategy),
      hovertemplate: `%{y:+.2f} bp, %{x}<extra>${label(one)}</extra>`,
    }));
    return Plotly.react("markout-chart", traces, layout, CONFIG);
  };

  const choice = document.getElementById("instrument");
  const filled = document.getElementById("execution") !== null;
  const draw = () => Promise.all([course(Number(choice.value || 0)), ...(filled ? [slippage(), markouts()] : [])]);
  if (data.instruments.length > FEW) {
    data.instruments.forEach((one, at) => choice.add(new Option(one.instrument, String(at))));
    document.getElementById("chooser").hidden = false;
    choice.addEventListener("change", draw);
  }
  for (const query of ["(prefers-color-scheme: dark)", "print"]) window.matchMedia(query).addEventListener("change", draw);
  draw().then(() => { document.documentElement.dataset.drawn = "yes"; });
})();
