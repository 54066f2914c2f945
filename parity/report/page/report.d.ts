// The document of a run, report.json, as parity/report/document.py makes it and docs/report.md describes it.

import type { Base64, GateData, Numeral } from "./columns.d.ts";
import type { Evaluation } from "./evaluation.d.ts";

export interface ReportData {
  schema: string;
  run: Run;
  judgement: Judgement;
  provenance: Provenance;
  networks: NetworkData[];
  imagenet: Evaluation | null;
  faults: FaultTable | null;
}

export interface Run {
  command: string;
  /** The options that change what is compared, quoted for a shell. */
  arguments: string;
  selection: string;
  started: string;
  seconds: number;
  exit: number;
  tests: number;
  /** Why the run ended before its end; empty if it did not. */
  stopped: string;
}

export interface Judgement {
  kind: "parity" | "partial" | "unfinished" | "error" | "no parity";
  words: string;
  judged: number;
  failed: number;
  limits: string[];
}

export interface Provenance {
  versions: Versions;
  code: { path: string; commit: string | null };
  machine: { cpu: string; system: string; threads: number };
  settings: string[];
  /** What was judged in the port's place. */
  candidate: string | null;
  /** Which code was judged. */
  origin: Origin;
  references: Reference[];
  checkpoints: { variant: string; name: string; sha256: string | null }[];
  images: Photograph[];
  seed: number;
}

/** Which code that is; empty where it is not known. */
export interface Origin {
  path: string;
  version: string;
  commit: string;
}

export interface Versions {
  torch: string;
  tensorflow: string;
  [distribution: string]: string;
}

export interface Reference {
  /** Empty where it is the only one. */
  label: string;
  name: string;
  sha256: string;
  /** Which official source was run; null where the reference is stored. */
  origin: Origin | null;
  recorded: Recorded | null;
}

/** What a stored reference was made from and by. Golden digests have no date, no checkpoint and no images. */
export interface Recorded {
  versions: Versions;
  cpu: string;
  threads: number;
  reference: string;
  seed: number;
  source_sha256: string;
  /** What the environment set that changes bits. */
  environment?: { [name: string]: string };
  created?: string;
  checkpoint?: string | null;
  checkpoint_sha256?: string | null;
  images?: { [name: string]: string };
}

export interface Photograph {
  name: string;
  /** Null, as the thumbnail, where the reference is stored. */
  path: string | null;
  sha256: string;
  networks: string[];
  /** A JPEG; empty where the file cannot be read. */
  thumbnail: Base64 | null;
}

export interface NetworkData {
  name: string;
  variant: string;
  height: number;
  width: number;
  reference: string;
  layers: LayerColumns;
  gates: GateData[];
  verdict: Verdict | null;
  unobservable: number[];
  names: string[];
}

/** Columns over the official layers, empty where no gate needed the graph. */
export interface LayerColumns {
  kind: string[];
  /** NHWC; null is the batch. */
  shape: (number | null)[][];
  /** The layers that feed each; -1 is the image. */
  inputs: number[][];
}

export interface Verdict {
  head: string;
  culprits: CulpritData[];
  /** Of each layer that only passes an error on, the nearest culprits before it. */
  downstream: { [layer: string]: number[] | undefined };
}

export interface CulpritData {
  name: number;
  gates: string[];
  kind: string;
  says: string;
  hints: string[];
  unjudged: string[];
  replays: Replay[];
}

export interface Replay {
  gate: string;
  passed: boolean;
  problem: string;
  checks: [label: string, measured: Numeral, allowed: Numeral][];
}

export interface FaultTable {
  versions: { [name: string]: string };
  trials: number;
  harmless: number;
  checks: { name: string; caught: number; localised: number; "false alarms": number }[];
  faults: PlantedFault[];
}

export interface PlantedFault {
  name: string;
  group: string;
  /** The implementation that has the fault; empty where none is known. */
  port: string;
  trials: number;
  caught: number;
  localised: number;
}
