// Compiles only where one answer can be told from two, and each of two from a problem.
import type { operations } from "./schema";

type Answer = operations["analyze"]["responses"][200]["content"]["application/json"];

export const worst = (answer: Answer): number =>
  "audio" in answer
    ? Math.max(...[answer.audio, answer.video].map((part) => ("probability" in part ? part.probability : 0.5)))
    : answer.probability;
export const why = (answer: Answer): string | null =>
  "audio" in answer && "detail" in answer.audio ? String(answer.audio.detail) : null;
