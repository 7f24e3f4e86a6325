// Compiles only where the description gives typed reports, typed problems and named options.
import type { operations } from "./schema";

type Analyze = operations["analyze"];
type Report = Analyze["responses"][200]["content"]["application/json"];
type Problem = Analyze["responses"][422]["content"]["application/problem+json"];
type Job = operations["read_job"]["responses"][200]["content"]["application/json"];
type Taken = Analyze["responses"][202]["content"]["application/json"];
type Options = NonNullable<Analyze["parameters"]["query"]>;

export const accused = (report: Report): boolean =>
  report.verdict === "likely_deepfake" && report.probability >= report.thresholds.likely_deepfake;
export const missed = (report: Report): number | undefined => report.policy_rates?.detection_rate;
export const bytes = (report: Report): string => report.sha256;
export const outcome = (job: Job): Report | Problem | null => job.result ?? job.problem;
export const share = (job: Taken): number | null | undefined => job.progress?.done;
export const sentence = (problem: Problem): string => `${problem.status}: ${problem.detail}`;
export const why = (report: Report): string[] => report.reasons.map((reason) => `${reason.code}: ${reason.text}`);
export const options: Options = { policy: "high_recall", sample_rate: 3, lang: "ko" };
// @ts-expect-error there is no such option
export const misspelt: Options = { polcy: "high_recall" };
// @ts-expect-error there is no such verdict
export const unheard = (report: Report): boolean => report.verdict === "fake";
