// The evaluation on ImageNet in report.json, as parity/report/evaluation.py and parity/imagenet/summary.py make it.

import type { Base64, Numeral } from "./columns.d.ts";

export interface Evaluation {
  header: string[];
  limits: string[];
  networks: EvaluatedNetwork[];
  thumbnails: { [image: string]: Base64 | undefined };
}

/** A network of result.json. What compares the two sides is there only where both were evaluated. */
export interface EvaluatedNetwork extends Partial<Agreement> {
  network: string;
  images: number;
  evaluated: number;
  official?: Accuracies;
  port?: Accuracies;
  failures: { index: number; name: string; problem: string }[];
  verdict: EvaluationResult;
}

export interface Agreement {
  same_best_class: Proportion;
  flips: { [rank in "top_1" | "top_5"]: Flips };
  largest_logit_difference: Numeral;
  official_error: { measured_on: number; largest: Numeral | null };
  disagreements: Disagreement[];
}

export interface Accuracies {
  top_1: Proportion;
  top_5: Proportion;
}

export interface Proportion {
  correct: number;
  count: number;
  percent: Numeral;
  wilson_95: [low: Numeral, high: Numeral];
}

export interface Flips {
  official_only: number;
  port_only: number;
  mcnemar_p: Numeral;
}

export interface Disagreement {
  rank: number;
  name: string;
  label: number;
  official: Answer;
  port: Answer;
  /** Whether TensorFlow is right, and the port. */
  correct: [official: boolean, port: boolean];
  margin: Numeral;
}

export interface Answer {
  classes: number[];
  logits: Numeral[];
  margins: Numeral[];
}

export interface EvaluationResult {
  gate: string;
  network: string;
  layer: string;
  checks: { name: string; measured: Numeral; allowed: Numeral }[];
  problem: string;
  element: null;
  notes: string[];
  reached: boolean;
  norm: Numeral | null;
  official: Numeral | null;
  at_fault: boolean;
  passed: boolean;
  margin: Numeral | null;
}
