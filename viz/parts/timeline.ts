/** Time as a strip: curves over it, what happened and what is planned as marks, the moment as a line. */
import { axisBottom, curveStepAfter, line, scaleLinear, select } from 'd3'
import type { History } from '../model/history.ts'
import { clock, percent } from '../model/text.ts'
import { PALETTES } from '../paint/palette.ts'
import type { About, Happening, HappeningKind, Sample } from '../source/source.ts'

const MARGIN = { left: 8, right: 8, top: 4, bottom: 18 } as const
/** Between the lanes of two curves. */
const GAP = 12
/** More points than this on a screen are no finer. */
const POINTS_MAX = 2_000

/** Kinds that are marked; starts and stops of single nodes are the curve of those alive. */
const MARKED: readonly HappeningKind[] = ['root', 'cut', 'heal', 'epoch', 'out', 'fault', 'violation']

/** What stands beside the run: the curves of another one, and moments at which the two part. */
export interface Beside {
  readonly history: History
  readonly moments: readonly { readonly at: number; readonly text: string }[]
}

interface Curve {
  readonly name: string
  value(sample: Sample): number | undefined
  /** The upper end of its scale. */
  top(samples: readonly Sample[], about: About): number
  write(value: number): string
}

const CURVES: readonly Curve[] = [
  {
    name: 'delivery',
    value: ({ delivery }) => delivery,
    top: () => 1,
    write: percent,
  },
  {
    name: 'nodes up',
    value: ({ alive }) => alive,
    top: (_, about) => about.nodes,
    write: (value) => String(value),
  },
  {
    name: 'control bytes per node and second',
    value: ({ control }) => control,
    top: (samples) => Math.max(100, ...samples.map(({ control }) => control ?? 0)),
    write: (value) => `${Math.round(value)}`,
  },
]

export class Timeline {
  readonly #slider: HTMLElement
  readonly #svg: SVGSVGElement
  #about: About | undefined
  #scale = scaleLinear()
  #at = 0

  /** `seek`: somebody wants to see that moment. */
  constructor(slider: HTMLElement, seek: (at: number) => void) {
    this.#slider = slider
    this.#svg = slider.querySelector('svg') as SVGSVGElement
    slider.addEventListener('pointerdown', (event) => {
      if (this.#about === undefined) return
      const { left } = slider.getBoundingClientRect()
      const at = this.#scale.invert(event.clientX - left)
      seek(Math.min(this.#about.endsAt, Math.max(0, at)))
    })
    slider.addEventListener('keydown', (event) => {
      const about = this.#about
      if (about === undefined) return
      const steps: Record<string, number> = {
        ArrowRight: about.endsAt / 100,
        ArrowLeft: -about.endsAt / 100,
        PageUp: about.endsAt / 10,
        PageDown: -about.endsAt / 10,
        Home: -about.endsAt,
        End: about.endsAt,
      }
      const step = steps[event.key]
      if (step === undefined) return
      event.preventDefault()
      event.stopPropagation()
      seek(Math.min(about.endsAt, Math.max(0, this.#at + step)))
    })
  }

  draw(about: About, history: History, at: number, theme: 'light' | 'dark', beside?: Beside): void {
    this.#about = about
    this.#at = at
    const svg = this.#svg
    const { width, height } = svg.getBoundingClientRect()
    if (width === 0) return
    const x = scaleLinear([0, about.endsAt], [MARGIN.left, width - MARGIN.right])
    this.#scale = x
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
    this.#slider.setAttribute('aria-valuemax', String(Math.round(about.endsAt)))
    this.#slider.setAttribute('aria-valuenow', String(Math.round(at)))
    this.#slider.setAttribute('aria-valuetext', `${clock(at)} of ${clock(about.endsAt)}`)
    const root = select(svg)
    root.selectAll('*').remove()
    const bottom = height - MARGIN.bottom
    for (const { kind, from, until } of about.planned) {
      root
        .append('rect')
        .attr('class', 'planned')
        .attr('x', x(from))
        .attr('y', MARGIN.top)
        .attr('width', Math.max(2, x(Math.min(until, about.endsAt)) - x(from)))
        .attr('height', bottom - MARGIN.top)
        .append('title')
        .text(`${kind}, ${clock(from)} to ${clock(until)}`)
    }
    const runs = beside === undefined ? [history] : [history, beside.history]
    const samples = runs.map((run) => thin(run.samples))
    const lane = (bottom - MARGIN.top - GAP * CURVES.length) / CURVES.length
    for (const [index, curve] of CURVES.entries()) {
      const top = MARGIN.top + index * (lane + GAP) + GAP
      this.#curve(curve, samples, about, x, top, lane, theme)
    }
    for (const moment of beside?.moments ?? []) this.#moment(moment, x, bottom, theme)
    for (const happening of history.happenings) this.#mark(happening, x, bottom, theme)
    const ticks = Math.max(2, Math.floor(width / 110))
    root
      .append('g')
      .attr('class', 'axis')
      .attr('transform', `translate(0,${bottom})`)
      .call(
        axisBottom(x)
          .ticks(ticks)
          .tickSizeOuter(0)
          .tickFormat((value) => clock(Number(value)).replace(/\.0( s)?$/, '$1')),
      )
    root
      .append('line')
      .attr('class', 'now')
      .attr('x1', x(at))
      .attr('x2', x(at))
      .attr('y1', 0)
      .attr('y2', bottom)
  }

  /** `runs`: of each its samples. */
  #curve(
    curve: Curve,
    runs: readonly (readonly Sample[])[],
    about: About,
    x: (at: number) => number,
    top: number,
    height: number,
    theme: 'light' | 'dark',
  ): void {
    const root = select(this.#svg)
    const most = Math.max(...runs.map((samples) => curve.top(samples, about)))
    const y = scaleLinear([0, most], [top + height, top])
    root
      .append('line')
      .attr('class', 'frame')
      .attr('x1', MARGIN.left)
      .attr('x2', x(about.endsAt))
      .attr('y1', top + height)
      .attr('y2', top + height)
    const path = line<Sample>()
      .defined((sample) => curve.value(sample) !== undefined)
      .curve(curveStepAfter)
      .x(({ at }) => x(at))
      .y((sample) => y(curve.value(sample) ?? 0))
    const { tree, other } = PALETTES[theme]
    for (const [index, samples] of runs.entries())
      root
        .append('path')
        .attr('class', 'curve')
        .attr('stroke', index === 0 ? tree : other)
        .attr('stroke-dasharray', index === 0 ? null : '5 2')
        .attr('d', path(samples))
    const values = runs.map((samples) => {
      const last = samples.findLast((sample) => curve.value(sample) !== undefined)
      const value = last === undefined ? undefined : curve.value(last)
      return value === undefined ? 'not measured yet' : curve.write(value)
    })
    root
      .append('text')
      .attr('x', MARGIN.left)
      .attr('y', top - 2)
      .text(`${curve.name}: ${values.join(' and, dashed, ')} (scale to ${curve.write(most)})`)
  }

  #moment(
    { at, text }: Beside['moments'][number],
    x: (at: number) => number,
    bottom: number,
    theme: 'light' | 'dark',
  ): void {
    select(this.#svg)
      .append('line')
      .attr('class', 'moment')
      .attr('x1', x(at))
      .attr('x2', x(at))
      .attr('y1', MARGIN.top)
      .attr('y2', bottom)
      .attr('stroke', PALETTES[theme].other)
      .append('title')
      .text(text)
  }

  #mark(
    { at, kind, text }: Happening,
    x: (at: number) => number,
    bottom: number,
    theme: 'light' | 'dark',
  ): void {
    if (!MARKED.includes(kind)) return
    const palette = PALETTES[theme]
    const isWrong = kind === 'cut' || kind === 'fault' || kind === 'violation' || kind === 'out'
    select(this.#svg)
      .append('path')
      .attr('class', 'mark')
      .attr(
        'd',
        isWrong
          ? `M${x(at) - 4} ${bottom}L${x(at) + 4} ${bottom}L${x(at)} ${bottom - 8}Z`
          : `M${x(at)} ${bottom}V${bottom - 8}`,
      )
      .attr('fill', isWrong ? palette.alarm : 'none')
      .attr('stroke', isWrong ? palette.alarm : palette.tree)
      .append('title')
      .text(`${clock(at)}: ${text}`)
  }
}

function thin(samples: readonly Sample[]): readonly Sample[] {
  const every = Math.ceil(samples.length / POINTS_MAX)
  return every <= 1 ? samples : samples.filter((_, index) => index % every === 0)
}
