// Charts over the file's timeline, all on one scale of time.
"use strict";
(() => {
  const view = window.SilverGuardian;
  const { element } = view;
  const AXIS = 52; // pixels left of every plot, so that lanes and charts stand under one another
  const RIGHT = 20;
  const PRINTED = 684; // pixels within the margins of A4
  const alive = new Set();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const mark = (plot, from, to, fill) => {
    const { ctx, bbox } = plot;
    const left = plot.valToPos(from, "x", true);
    ctx.fillStyle = fill;
    ctx.fillRect(left, bbox.top, Math.max(2, plot.valToPos(to, "x", true) - left), bbox.height);
  };

  const line = (plot, at, stroke, dash) => {
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(at, "y", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = stroke;
    ctx.setLineDash(dash);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  };

  /** One chart. `alt` says in words what it shows. */
  const chart = (holder, { seconds, height, data, series, range, values, hooks, alt, seek }) => {
    const box = element("div", { class: "chart", role: "img", "aria-label": alt });
    holder.append(box);
    const axis = { stroke: () => colour("--soft"), font: "12px system-ui, sans-serif", ticks: { stroke: () => colour("--line") } };
    const plot = new uPlot(
      {
        width: Math.max(240, box.clientWidth || 640),
        height,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        padding: [8, RIGHT, 0, 0],
        scales: { x: { time: false, range: () => [0, seconds] }, y: { range: () => range } },
        axes: [
          { ...axis, size: 28, space: 56, values: (_, splits, __, ___, step) => splits.map((at) => view.clock(at, step < 1)), grid: { stroke: () => colour("--line") } },
          { ...axis, size: AXIS, values, grid: { stroke: () => colour("--line") } },
        ],
        series: [{}, ...series],
        hooks,
      },
      data,
      box,
    );
    if (seek) {
      plot.over.addEventListener("click", () => {
        const at = plot.posToVal(plot.cursor.left, "x");
        if (at >= 0) seek(at);
      });
    }
    alive.add(plot);
    return box;
  };

  /** Waveform of `peaks` (0..100, evenly over the file's length), suspicious stretches marked. */
  view.waveform = (holder, say, waveform, marks, seek) => {
    const { peaks, seconds } = waveform;
    const times = peaks.map((_, place) => ((place + 0.5) * seconds) / peaks.length);
    const loud = Math.max(1, ...peaks);
    const up = peaks.map((peak) => peak / loud);
    const fill = () => colour("--wave");
    chart(holder, {
      seconds,
      height: 110,
      data: [times, up, up.map((value) => -value)],
      series: [{ stroke: fill, width: 1, points: { show: false } }, { stroke: fill, width: 1, points: { show: false } }],
      range: [-1.05, 1.05],
      values: () => [],
      hooks: {
        drawClear: [(plot) => marks.forEach(({ start, end }) => mark(plot, start, end, colour("--mark")))],
        draw: [
          (plot) => {
            plot.ctx.fillStyle = fill();
            const wide = Math.max(1, plot.bbox.width / peaks.length);
            up.forEach((value, place) => {
              const top = plot.valToPos(value, "y", true);
              plot.ctx.fillRect(plot.valToPos(times[place], "x", true) - wide / 2, top, wide, plot.valToPos(-value, "y", true) - top);
            });
          },
        ],
      },
      alt: say("waveform_alt", { seconds: view.clock(seconds) }),
      seek,
    });
  };

  /** A spectrogram's picture under axes of time and frequency. */
  view.spectrogram = (holder, say, spectrogram, seek) => {
    const { image, seconds, hertz } = spectrogram;
    const picture = new Image();
    const high = hertz / 1000;
    chart(holder, {
      seconds,
      height: 150,
      data: [[0, seconds], [0, high]],
      series: [{ show: true, stroke: "transparent", points: { show: false } }],
      range: [0, high],
      values: (_, splits) => splits.map(String),
      hooks: {
        ready: [
          (plot) => {
            picture.onload = () => plot.redraw();
            picture.src = image;
          },
        ],
        draw: [
          (plot) => {
            const { ctx, bbox } = plot;
            if (picture.complete && picture.naturalWidth) ctx.drawImage(picture, bbox.left, bbox.top, bbox.width, bbox.height);
          },
        ],
      },
      alt: say("spectrogram_alt", { hertz: high }),
      seek,
    });
  };

  /** Scores over time: points, or stretches where they have a length; both thresholds as lines. */
  view.scores = (holder, say, points, seconds, thresholds, seek) => {
    const stretched = points.some(({ start, end }) => end > start);
    const times = points.map(({ start, end }) => (start + end) / 2);
    chart(holder, {
      seconds,
      height: 170,
      data: [times, points.map(({ score }) => score)],
      series: [
        {
          stroke: () => colour("--accent"),
          width: 1.5,
          points: { show: !stretched && points.length < 150, size: 5, fill: () => colour("--accent") },
          paths: stretched ? () => null : undefined,
        },
      ],
      range: [0, 1],
      values: (_, splits) => splits.map((at) => view.number(at)),
      hooks: {
        drawClear: [
          (plot) => {
            const { ctx, bbox } = plot;
            const y = (at) => plot.valToPos(at, "y", true);
            ctx.fillStyle = colour("--mark");
            ctx.fillRect(bbox.left, bbox.top, bbox.width, y(thresholds.likely_deepfake) - bbox.top);
          },
        ],
        draw: [
          (plot) => {
            line(plot, thresholds.likely_deepfake, colour("--bad"), [6, 4]);
            line(plot, thresholds.likely_authentic, colour("--good"), [2, 4]);
            if (!stretched) return;
            const { ctx } = plot;
            ctx.save();
            ctx.strokeStyle = colour("--accent");
            ctx.lineWidth = 3 * devicePixelRatio;
            for (const { start, end, score } of points) {
              const y = plot.valToPos(score, "y", true);
              ctx.beginPath();
              ctx.moveTo(plot.valToPos(start, "x", true), y);
              ctx.lineTo(plot.valToPos(end, "x", true), y);
              ctx.stroke();
            }
            ctx.restore();
          },
        ],
      },
      alt: say("scores_alt"),
      seek,
    });
    holder.append(
      view.table(
        say,
        stretched ? [say("start"), say("end"), say("score")] : [say("time"), say("score")],
        points.map(({ start, end, score }) =>
          stretched ? [view.clock(start, true), view.clock(end, true), view.number(score)] : [view.clock(start, true), view.number(score)],
        ),
      ),
    );
  };

  /** Forget the charts of a view that is made anew. */
  view.forgetCharts = () => {
    alive.forEach((plot) => plot.destroy());
    alive.clear();
  };

  const fit = (width) => alive.forEach((plot) => plot.setSize({ width: width ?? plot.root.parentElement.clientWidth, height: plot.height }));

  let waiting = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => fit());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => alive.forEach((plot) => plot.redraw()));
  // Paper is white and narrower than a screen.
  window.addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper");
    fit(PRINTED);
  });
  window.addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    fit();
  });
})();
