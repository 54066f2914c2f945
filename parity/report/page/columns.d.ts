// A gate's results in report.json, as parity/report/columns.py and observed.py make them.

/** A number; one that JSON does not have comes as text. */
export type Numeral = number | "inf" | "-inf" | "nan";

/** What few rows of a gate have, by the row's number. */
export type ByRow<T> = { readonly [row: string]: T | undefined };

/** Of some elements the expected values, then the port's, as levels. */
export type PointLevels = [expected: number[], port: number[]];

/** Bytes in base64. */
export type Base64 = string;

export interface GateData {
  gate: string;
  /** How many comparisons there are unless a part is selected. */
  whole: number;
  selected: number;
  /** Null where another gate of the run includes it. */
  seconds: Numeral | null;
  name: number[];
  /** A 0 or a 1 for each row. */
  passed: string;
  margin: Numeral[];
  labels: string[];
  /** Of each row its checks: a place in `labels`, what was measured, what is allowed. */
  checks: [label: number, measured: Numeral, allowed: Numeral][][];
  norm: (Numeral | null)[];
  official: (Numeral | null)[];
  /** A place in `tests`; -1 where the id is in `other_test`. */
  test: number[];
  tests: string[];
  other_test: ByRow<string>;
  problem: ByRow<string>;
  notes: ByRow<string[]>;
  element: ByRow<WorstElement>;
  unreached: number[];
  explained: ByRow<[reason: "downstream" | "repeated", words: string]>;
  observed: Observed;
}

export interface WorstElement {
  index: number[];
  actual: string;
  expected: string;
  exceeding: number;
  size: number;
}

/** What was seen of the values, in columns of their own over the rows in `row`. */
export interface Observed {
  row: number[];
  size: number[];
  scale: Numeral[];
  counts: number[][];
  low: Numeral[];
  high: Numeral[];
  points: PointLevels[];
  closeups: ByRow<CloseupData>;
}

export interface CloseupData {
  worst: [index: number[], port: string, expected: string][];
  low: Numeral;
  high: Numeral;
  points: PointLevels;
  /** None where the layer has no maps. */
  maps: { port?: ValueMap; expected?: ValueMap; difference?: ValueMap };
}

export interface ValueMap {
  width: number;
  height: number;
  low: Numeral;
  high: Numeral;
  png: Base64;
}
