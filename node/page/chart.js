// Charts by uPlot, in the colours of the page. Whatever one shows stands in a table beside it.

const LINE_DASH = [5, 4];

/** A colour of the style sheet as it is now, light or dark. */
export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A chart in an element, drawn anew on demand. */
export class Chart {
  constructor(host) {
    this.host = host;
    this.plot = null;
    this.drawn = null;
    host.hidden = typeof window.uPlot !== "function";
    new ResizeObserver(() => this.fit()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  /** `options()` gives uPlot's without a size; `label` tells in a sentence what is to be seen. */
  draw(options, data, label) {
    this.host.setAttribute("aria-label", label);
    this.drawn = { options, data };
    this.redraw();
  }

  redraw() {
    if (this.host.hidden || this.drawn === null) return;
    const { options, data } = this.drawn;
    this.plot?.destroy();
    this.plot = new window.uPlot(
      { ...options(), ...this.size(), legend: { show: false } },
      data,
      this.host,
    );
  }

  size() {
    return {
      width: Math.max(200, this.host.clientWidth),
      height: Math.max(160, this.host.clientHeight),
    };
  }

  fit() {
    this.plot?.setSize(this.size());
  }
}

/** An axis in the page's colours; `more` are uPlot's own settings. */
export function axis(more = {}) {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return {
    stroke: colour("soft"),
    font: `${Math.max(11, 0.78 * size)}px system-ui, sans-serif`,
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1, size: 4 },
    ...more,
  };
}

/** Numbers of an axis without a tail of zeros. */
export const plain = (_, splits) =>
  splits.map((value) =>
    value === null
      ? ""
      : Number(value.toPrecision(6)).toLocaleString("en", { maximumFractionDigits: 8 }),
  );

/** A hook that draws upright lines: [value, name of a colour, text, is it only supposed]. */
export function uprights(marks) {
  return (plot) => {
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio || 1;
    ctx.save();
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.lineWidth = 2 * ratio;
    let row = 0;
    for (const [value, name, text, isSupposed] of marks()) {
      const x = Math.round(plot.valToPos(value, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = ctx.fillStyle = colour(name);
      ctx.setLineDash(isSupposed ? LINE_DASH.map((one) => one * ratio) : []);
      ctx.globalAlpha = text ? 1 : 0.55;
      ctx.beginPath();
      ctx.moveTo(x, text ? bbox.top : bbox.top + bbox.height * 0.86);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (!text) continue;
      const isLeft = x > bbox.left + bbox.width * 0.7;
      const where = [x + (isLeft ? -6 : 6) * ratio, bbox.top + (14 + 16 * (row++ % 4)) * ratio];
      ctx.textAlign = isLeft ? "right" : "left";
      ctx.setLineDash([]);
      ctx.lineWidth = 4 * ratio;
      ctx.strokeStyle = colour("card");
      ctx.strokeText(text, ...where);
      ctx.lineWidth = 2 * ratio;
      ctx.fillText(text, ...where);
    }
    ctx.restore();
  };
}
