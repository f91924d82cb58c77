// Draws what the server computed. Every word comes from the server; colours come from the style sheet.
"use strict";
(() => {
  const MICRO = 1e6;
  const css = getComputedStyle(document.documentElement);
  const colour = (name) => css.getPropertyValue(`--${name}`).trim();
  const drawn = new Map();
  const text = () => ({ color: colour("ink-2"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 13 });
  const thousands = (value) => value.toLocaleString("en", { maximumFractionDigits: 1 });

  function short(value, symbol) {
    const sign = value < 0 ? "−" : "";
    const size = Math.abs(value);
    return sign + symbol + (size >= 10000 ? `${thousands(size / 1000)}k` : thousands(size));
  }

  function frame(extra) {
    return {
      animation: false,
      textStyle: text(),
      grid: { left: 4, right: 14, top: 18, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      tooltip: {
        trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colour("card"),
        borderColor: colour("line"), textStyle: { ...text(), color: colour("ink") },
        axisPointer: { lineStyle: { color: colour("mark") } },
      },
      ...extra,
    };
  }

  const quiet = (extra) => ({
    axisLine: { show: false }, axisTick: { show: false }, axisLabel: { ...text(), hideOverlap: true, ...(extra || {}) },
    splitLine: { lineStyle: { color: colour("line") } },
  });

  function hatch(foreground, background) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const pen = tile.getContext("2d");
    pen.fillStyle = background;
    pen.fillRect(0, 0, 6, 6);
    pen.strokeStyle = foreground;
    pen.lineWidth = 1.2;
    for (const shift of [-6, 0, 6]) {
      pen.beginPath();
      pen.moveTo(shift, 6);
      pen.lineTo(shift + 6, 0);
      pen.stroke();
    }
    return { image: tile, repeat: "repeat" };
  }

  function balance(data) {
    const major = (pair) => [pair[0], pair[1] / MICRO];
    const labels = new Map(data.ticks);
    const lows = data.points.map((p) => p[1]).concat(data.fan.map((p) => p[1]));
    const base = { type: "line", showSymbol: false, silent: true, emphasis: { disabled: true } };
    const mid = data.fan.map((p) => [p[0], p[2] / MICRO]);
    const until = mid.findIndex((p) => p[1] <= 0);
    const series = [
      { ...base, name: "past", silent: false, data: data.points.map(major), lineStyle: { color: colour("volt"), width: 3 },
        itemStyle: { color: colour("volt") }, areaStyle: { color: colour("volt"), opacity: 0.08, origin: 0 },
        markLine: { silent: true, symbol: "none", lineStyle: { color: colour("mark"), type: "dotted" },
          label: { ...text(), formatter: data.now[1], position: "end" }, data: [{ xAxis: data.now[0] }] } },
      { ...base, name: "low", stack: "fan", data: data.fan.map((p) => [p[0], p[1] / MICRO]),
        lineStyle: { color: colour("sun"), width: 1, opacity: 0.5 },
        tooltip: { show: false } },
      { ...base, name: "range", stack: "fan", data: data.fan.map((p) => [p[0], (p[3] - p[1]) / MICRO]),
        lineStyle: { color: colour("sun"), width: 1, opacity: 0.5 }, areaStyle: { color: colour("sun"), opacity: 0.28 },
        tooltip: { show: false } },
      { ...base, name: "expected", data: until < 0 ? mid : mid.slice(0, until).concat(data.end ? [[data.end[0], 0]] : []),
        lineStyle: { color: colour("sun"), width: 3, type: [5, 5] }, itemStyle: { color: colour("sun") } },
    ];
    // The range of the end, as a bar on the floor with a post at each side: seen even where colours are not told apart.
    if (data.range) {
      const floor = data.range.map((at) => [at, 0]);
      series.push({ ...base, name: "between", data: floor, z: 4, showSymbol: true, symbol: "rect", symbolSize: [3, 15],
        lineStyle: { color: colour("ember"), width: 4, opacity: 0.55, cap: "round" }, itemStyle: { color: colour("ember") },
        tooltip: { show: false } });
    }
    if (data.end) {
      series.push({ type: "scatter", name: "end", silent: true, data: [[data.end[0], 0]], symbolSize: 13, z: 5,
        itemStyle: { color: colour("ember"), borderColor: colour("card"), borderWidth: 2 },
        label: { show: true, position: "top", distance: 8, formatter: data.end[1], color: colour("ink"), fontSize: 13,
          fontWeight: 600, fontFamily: text().fontFamily } });
    }
    return frame({
      tooltip: { show: false },
      xAxis: { type: "time", min: data.ticks[0][0], max: data.ticks.length > 1 ? data.ticks.at(-1)[0] : undefined,
        ...quiet({ customValues: data.ticks.map((t) => t[0]), formatter: (at) => labels.get(at) || "",
          alignMinLabel: "left", alignMaxLabel: "right", showMinLabel: true, showMaxLabel: true }), splitLine: { show: false } },
      yAxis: { type: "value", min: Math.min(...lows) < 0 ? undefined : 0, splitNumber: 3,
        ...quiet({ formatter: (value) => short(value, data.symbol) }) },
      series,
    });
  }

  function today(data) {
    const shown = data.slots.map((wh) => (wh === null ? null : wh / 1000));
    const areas = data.bands.filter((band) => band[3]).map((band) => [
      { xAxis: band[0], itemStyle: { color: colour("sun"), opacity: 0.1 }, name: band[2],
        label: { ...text(), color: colour("sun-ink"), position: "insideTop" } },
      { xAxis: Math.min(band[1], data.slots.length) },
    ]);
    return frame({
      grid: { left: 4, right: 14, top: 30, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: [
        { type: "category", data: data.labels, ...quiet({ interval: 11 }), splitLine: { show: false } },
        { type: "value", min: 0, max: Math.max(1, data.slots.length), show: false },
      ],
      yAxis: { type: "value", name: data.unit, nameTextStyle: { ...text(), align: "right" }, splitNumber: 2, ...quiet() },
      series: [
        { type: "bar", name: data.unit, barCategoryGap: "22%", data: shown.map((value, slot) => ({
          value, itemStyle: { color: data.dear[slot] ? colour("sun") : colour("volt"), borderRadius: [3, 3, 0, 0] } })) },
        { type: "line", xAxisIndex: 1, data: [], silent: true, tooltip: { show: false }, markArea: { silent: true, data: areas } },
      ],
    });
  }

  function load(data) {
    const kilowatts = (list) => list.map((watts) => (watts === null ? null : watts / 1000));
    return frame({
      legend: { top: 0, right: 0, itemWidth: 22, textStyle: text(), icon: "path://M0 4h22v3H0z" },
      grid: { left: 4, right: 14, top: 38, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: { type: "category", data: data.labels, boundaryGap: false, ...quiet({ interval: 7 }), splitLine: { show: false } },
      yAxis: { type: "value", splitNumber: 4, ...quiet({ formatter: (value) => `${thousands(value)} kW` }) },
      series: [
        { type: "line", name: data.names[0], data: kilowatts(data.now), showSymbol: false, connectNulls: false,
          lineStyle: { color: colour("volt"), width: 2.5 }, itemStyle: { color: colour("volt") },
          areaStyle: { color: colour("volt"), opacity: 0.09 } },
        { type: "line", name: data.names[1], data: kilowatts(data.before), showSymbol: false, connectNulls: false,
          lineStyle: { color: colour("mark"), width: 1.6, type: "dashed" }, itemStyle: { color: colour("mark") } },
      ],
    });
  }

  function money(data, width) {
    let level = 0;
    const room = (width - 60) / data.rows.length - 6;
    const steps = data.rows.map(([name, micro, total]) => {
      const from = total ? 0 : level;
      level = total ? micro : level + micro;
      const low = Math.min(from, level) / MICRO;
      const high = Math.max(from, level) / MICRO;
      return { name, base: low > 0 ? low : Math.min(high, 0), above: Math.max(high, 0) - Math.max(low, 0),
        below: Math.min(low, 0) - Math.min(high, 0), solid: total, up: micro >= 0 };
    });
    const falling = hatch(colour("card"), colour("sun"));
    const paint = (step) => ({ borderRadius: 4, color: step.solid || step.up ? colour("volt") : falling });
    const part = (key) => ({ type: "bar", stack: "step", silent: true, barMaxWidth: 44,
      label: { show: true, position: key === "above" ? "top" : "bottom", ...text(), fontSize: room < 34 ? 11 : 12,
        ...(room < 34 && key === "above" ? { rotate: 50, align: "left", verticalAlign: "middle", distance: 8 } : {}),
        formatter: (item) => (item.value === "-" ? "" : data.texts[item.dataIndex]) },
      data: steps.map((step) => ({ itemStyle: paint(step),
        value: step[key] !== 0 || (key === "above" && step.below === 0) ? step[key] : "-" })) });
    return frame({
      tooltip: { show: false },
      grid: { left: 4, right: room < 34 ? 26 : 14, top: room < 34 ? 40 : 22, bottom: 4, outerBoundsMode: "same",
        outerBoundsContain: "axisLabel" },
      xAxis: { type: "category", data: steps.map((step) => step.name),
        ...quiet({ interval: 0, hideOverlap: false, overflow: "break", lineHeight: 14, fontSize: 12,
          ...(room < 52 ? { rotate: 45, overflow: "none" } : { width: room }) }), splitLine: { show: false } },
      yAxis: { type: "value", splitNumber: 4, ...quiet({ formatter: (value) => short(value, data.symbol) }) },
      series: [
        { type: "bar", stack: "step", silent: true, itemStyle: { color: "transparent" }, data: steps.map((step) => step.base) },
        part("above"), part("below"),
      ],
    });
  }

  function intervals(data) {
    const kwh = (code) => data.wh.map((wh, n) => (data.status[n] === code ? wh / 1000 : "-"));
    const guess = hatch(colour("sun-ink"), colour("sun-2"));
    const paints = { A: colour("volt"), E: guess, S: guess, X: colour("ember") };
    const used = ["A", "E", "S", "X"].filter((code) => data.status.includes(code));
    return frame({
      legend: { top: 0, right: 0, itemWidth: 16, itemHeight: 12, textStyle: text() },
      grid: { left: 4, right: 14, top: 38, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: { type: "category", data: data.labels, ...quiet({ interval: Math.max(0, Math.ceil(data.labels.length / 8) - 1) }),
        splitLine: { show: false } },
      yAxis: { type: "value", name: "kWh", nameTextStyle: { ...text(), align: "left" }, splitNumber: 3, ...quiet() },
      series: used.map((code) => ({ type: "bar", stack: "one", name: data.names[code], data: kwh(code), barCategoryGap: "22%",
        itemStyle: { color: paints[code], borderRadius: [3, 3, 0, 0],
          ...(code === "E" || code === "S" ? { borderColor: colour("sun-ink"), borderWidth: 1 } : {}) } })),
    });
  }

  // A report's table: bars side by side or stacked, or a line through its days. Hatched where colour alone would tell.
  function report(data, width) {
    const paints = [colour("volt"), hatch(colour("card"), colour("sun")), colour("mark"), hatch(colour("card"), colour("volt")),
      hatch(colour("card"), colour("mark"))];
    const values = (list) => list.map((value) => (value === null ? null : value / data.scale));
    const room = (width - 70) / Math.max(1, data.labels.length);
    const many = data.names.length > 1;
    return frame({
      legend: many ? { top: 0, right: 0, itemWidth: 18, textStyle: text() } : undefined,
      grid: { left: 4, right: 14, top: many ? (width < 500 ? 74 : 40) : 18, bottom: 4, outerBoundsMode: "same",
        outerBoundsContain: "axisLabel" },
      xAxis: { type: "category", data: data.labels, boundaryGap: !data.line,
        ...quiet(data.line ? {} : { interval: room > 24 ? 0 : "auto", rotate: room < 76 ? 40 : 0 }), splitLine: { show: false } },
      yAxis: { type: "value", splitNumber: 4, ...quiet({ formatter: (value) => short(value, data.symbol) + data.unit }) },
      series: data.series.map((list, n) => (data.line
        ? { type: "line", step: "end", showSymbol: false, name: data.names[n], data: values(list),
          lineStyle: { color: colour("volt"), width: 2.5 }, itemStyle: { color: colour("volt") },
          areaStyle: { color: colour("volt"), opacity: 0.08, origin: 0 } }
        : { type: "bar", name: data.names[n], stack: data.stacked ? "all" : undefined, barMaxWidth: 40, data: values(list),
          itemStyle: { color: paints[n % paints.length], borderRadius: data.stacked ? 0 : [3, 3, 0, 0] } })),
    });
  }

  // Homes by how much more or less they would pay. Less is solid, more hatched: colour alone would not tell.
  function spread(data, width) {
    const paints = [colour("volt"), colour("mark"), hatch(colour("card"), colour("sun"))];
    const side = ([low, high]) => (low === 0 && high === 0 ? 1 : low < 0 ? 0 : 2);
    const money = (micro) => short(micro / MICRO, data.symbol);
    const labels = data.bars.map(([low, high]) => (low === high ? money(0) : `${money(low)} … ${money(high)}`));
    return frame({
      legend: { top: 0, right: 0, itemWidth: 18, textStyle: text() },
      grid: { left: 4, right: 14, top: width < 500 ? 56 : 40, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: { type: "category", data: labels, ...quiet({ interval: "auto", rotate: width < 700 ? 45 : 0, fontSize: 12 }),
        splitLine: { show: false } },
      yAxis: { type: "value", minInterval: 1, splitNumber: 4, name: data.axis, nameTextStyle: { ...text(), align: "left" }, ...quiet() },
      series: data.names.map((name, n) => ({ type: "bar", stack: "one", name, barCategoryGap: "12%",
        itemStyle: { color: paints[n], borderRadius: [3, 3, 0, 0] },
        data: data.bars.map((bar) => (side(bar) === n ? bar[2] : "-")) })),
    });
  }

  // Times are drawn by the building's clock: instants are moved by its offset and read as UTC.
  const byTheClock = (data, extra) => frame({
    useUTC: true,
    xAxis: { type: "time", min: data.from + data.offset, max: data.until + data.offset,
      ...quiet({ formatter: data.until - data.from > 7200000 ? "{HH}:{mm}" : "{HH}:{mm}:{ss}" }), splitLine: { show: false } },
    yAxis: { type: "value", min: (span) => Math.min(0, span.min), splitNumber: 4,
      max: (data.points || data.rows).length ? undefined : 1000,
      ...quiet({ formatter: (watts) => (Math.abs(watts) >= 1000 ? `${thousands(watts / 1000)} kW` : `${watts} W`) }) },
    ...extra,
  });

  function seconds(data) {
    return byTheClock(data, {
      series: [{ type: "line", step: "end", name: "W", showSymbol: data.points.length < 3, connectNulls: false,
        data: data.points.map(([at, watts]) => [at + data.offset, watts]), lineStyle: { color: colour("volt"), width: 2 },
        itemStyle: { color: colour("volt") }, areaStyle: { color: colour("volt"), opacity: 0.09, origin: 0 } }],
    });
  }

  // A day by the minute: the mean as a line in the band between the least and the most.
  function band(data) {
    const at = (n) => data.rows.map((row) => [row[0] + data.offset, row[n]]);
    const base = { type: "line", showSymbol: false, emphasis: { disabled: true } };
    return byTheClock(data, {
      series: [
        { ...base, name: "min", stack: "band", data: at(1), lineStyle: { opacity: 0 }, silent: true, tooltip: { show: false } },
        { ...base, name: "max", stack: "band", data: data.rows.map((row) => [row[0] + data.offset, row[3] - row[1]]), silent: true,
          lineStyle: { opacity: 0 }, areaStyle: { color: colour("sun"), opacity: 0.3 }, tooltip: { show: false } },
        { ...base, name: "W", data: at(2), lineStyle: { color: colour("volt"), width: 2 }, itemStyle: { color: colour("volt") } },
      ],
    });
  }

  const KINDS = { balance, today, load, money, intervals, report, spread, seconds, band };

  function draw(host) {
    const source = document.getElementById(host.dataset.chart);
    if (!source || !window.echarts || host.clientWidth === 0) return;
    const data = JSON.parse(source.textContent);
    let chart = drawn.get(host);
    if (!chart) {
      chart = echarts.init(host, null, { renderer: "canvas" });
      drawn.set(host, chart);
    }
    if (host.dataset.shown === source.textContent) return;
    host.dataset.shown = source.textContent;
    host.setAttribute("aria-label", data.summary);
    chart.setOption(KINDS[data.kind](data, host.clientWidth), true);
  }

  const hosts = () => document.querySelectorAll("[data-chart]");

  function redraw() {
    for (const host of hosts()) {
      delete host.dataset.shown;
      draw(host);
    }
  }

  // After layout, never before: a canvas made in a box without width stays empty.
  const sized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const chart = drawn.get(target);
      if (chart) chart.resize();
      delete target.dataset.shown;
      draw(target);
    }
  });
  for (const host of hosts()) sized.observe(host);
  document.body.addEventListener("htmx:sseMessage", () => { for (const host of hosts()) draw(host); });
  for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
    matchMedia(query).addEventListener("change", redraw);
  }
  document.fonts.ready.then(redraw);
})();
