// Of vega-embed, which lies in the page compressed, what the page uses.

export interface View {
  finalize(): void;
  addEventListener(type: "click", handler: (event: unknown, item: Item | null | undefined) => void): void;
}

export interface Item {
  datum?: { layer?: number };
}

export type Embed = (target: HTMLElement, spec: object, options: object) => Promise<{ view: View }>;

declare global {
  interface Window {
    vegaEmbed: Embed;
  }
}
