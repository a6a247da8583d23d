/** Colours of charts, read from the style sheet for the theme of now. echarts draws on canvas and needs plain rgb. */

const canvas = typeof document === "undefined" ? null : document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** A css colour as the browser shows it, whatever notation it was written in. @param {string} value css @returns {string} */
export function resolve(value) {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  probe.style.color = value;
  const computed = getComputedStyle(probe).color;
  probe.remove();
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = computed;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
  return `rgba(${red}, ${green}, ${blue}, ${(alpha / 255).toFixed(3)})`;
}

/** @returns {{ink: string, soft: string, rule: string, sheet: string, accent: string, series: string[]}} */
export function chartColors() {
  return {
    ink: resolve("var(--mo-ink)"),
    soft: resolve("var(--mo-ink-soft)"),
    rule: resolve("var(--mo-rule)"),
    sheet: resolve("var(--mo-sheet)"),
    raised: resolve("var(--mo-sheet-raised)"),
    accent: resolve("var(--mo-cobalt)"),
    series: [1, 2, 3, 4, 5, 6, 7, 8].map((index) => resolve(`var(--mo-series-${index})`)),
  };
}

/** The same colour with another opacity. @param {string} color rgba() @param {number} alpha */
export function fade(color, alpha) {
  return color.replace(/[\d.]+\)$/, `${alpha})`);
}

/** What every chart shares. Its words for screen readers are the `aria-label` of the box, in the page's language. @param {ReturnType<typeof chartColors>} colors */
export function baseOption(colors) {
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colors.soft, fontSize: 12 },
    tooltip: {
      confine: true,
      transitionDuration: 0,
      backgroundColor: colors.sheet,
      borderColor: colors.rule,
      borderWidth: 1,
      padding: [8, 4],
      textStyle: { color: colors.ink, fontSize: 12 },
    },
  };
}

/** @param {ReturnType<typeof chartColors>} colors */
export function axisStyle(colors) {
  return {
    axisLine: { lineStyle: { color: colors.rule } },
    axisTick: { lineStyle: { color: colors.rule } },
    axisLabel: { color: colors.soft, hideOverlap: true },
    nameTextStyle: { color: colors.soft },
    splitLine: { lineStyle: { color: colors.rule, opacity: 0.6 } },
  };
}

/**
 * Starts echarts only while the element can be seen, follows its size and the theme.
 * @param {HTMLElement} element
 * @param {(chart: any, colors: ReturnType<typeof chartColors>) => void} draw
 * @param {{onMount?: (chart: any) => void}} [options]
 * @returns {{redraw: () => void, chart: () => any, destroy: () => void}}
 */
export function mount(element, draw, { onMount } = {}) {
  let chart = null;
  const size = new ResizeObserver(() => chart?.resize({ animation: { duration: 0 } }));
  const sight = new IntersectionObserver(
    ([entry]) => {
      if (entry.isIntersecting && !chart) {
        chart = window.echarts.init(element, null, { renderer: "canvas" });
        onMount?.(chart);
        draw(chart, chartColors());
        size.observe(element);
      } else if (!entry.isIntersecting && chart) {
        size.unobserve(element);
        chart.dispose();
        chart = null;
      }
    },
    { rootMargin: "200px" },
  );
  sight.observe(element);
  const redraw = () => chart && draw(chart, chartColors());
  document.addEventListener("theme:change", redraw);
  return {
    redraw,
    chart: () => chart,
    destroy() {
      document.removeEventListener("theme:change", redraw);
      sight.disconnect();
      size.disconnect();
      chart?.dispose();
      chart = null;
    },
  };
}
