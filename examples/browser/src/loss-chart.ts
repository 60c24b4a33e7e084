/** The loss as a curve that grows while the head learns. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

/** A chart of one curve. */
export interface LossChart {
  /** Appends the loss of one step. */
  add(loss: number): void;
  clear(): void;
}

/** Draws into `element`, as wide as it is; the colours follow the page's. */
export function lossChart(element: HTMLElement): LossChart {
  const steps: number[] = [];
  const losses: number[] = [];
  let plot: uPlot;
  const draw = (): void => {
    plot?.destroy();
    const style = getComputedStyle(element);
    const color = (name: string): string => {
      // light-dark() of a custom property is resolved where it is used.
      element.style.color = `var(${name})`;
      const resolved = getComputedStyle(element).color;
      element.style.removeProperty('color');
      return resolved;
    };
    const axis: uPlot.Axis = {
      stroke: color('--soft'),
      font: `12px ${style.fontFamily}`,
      grid: { stroke: color('--line'), width: 1 },
      ticks: { show: false },
    };
    plot = new uPlot(
      {
        width: element.clientWidth,
        height: element.clientHeight,
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 14, 0, 0],
        scales: {
          x: { time: false, range: (_, __, last) => [1, Math.max(last, 40)] },
          y: { range: (_, __, top) => [0, Math.max(top * 1.08, 0.1)] },
        },
        axes: [
          { ...axis, size: 28, grid: { show: false } },
          { ...axis, size: 40 },
        ],
        series: [{}, { stroke: color('--spam'), width: 2, points: { show: false } }],
      },
      [steps, losses],
      element,
    );
  };
  draw();
  new ResizeObserver(draw).observe(element);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  const show = (): void => {
    plot.setData([steps, losses]);
    const last = losses.at(-1);
    element.ariaLabel = last === undefined ? 'Loss per step' : `Loss ${last.toFixed(3)} after ${steps.length} steps`;
  };
  return {
    add(loss) {
      steps.push(steps.length + 1);
      losses.push(loss);
      show();
    },
    clear() {
      steps.length = losses.length = 0;
      show();
    },
  };
}
