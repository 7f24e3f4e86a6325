// What a report says beside its evidence: the verdict, how often it is wrong, what the file claims, and details.
"use strict";
(() => {
  const view = window.SilverGuardian;
  const { element, clock, number, ofHundred } = view;

  view.badge = (say, verdict) => element("span", { class: `badge ${verdict}` }, say(`verdict.${verdict}`));

  /** The probability on a scale with both thresholds. */
  view.gauge = (say, report) => {
    if (report.status !== "success") return element("p", { class: "soft" }, say("gauge_unknown"));
    const { likely_authentic: low, likely_deepfake: high } = report.thresholds;
    const [shown, shownLow, shownHigh] = view.apart(report.probability, low, high);
    const at = (value) => 10 + 580 * value;
    const zone = (from, to, name) => element("svg:rect", { x: at(from), y: 22, width: at(to) - at(from), height: 18, class: `zone ${name}` });
    const tick = (value, text) =>
      element(
        "svg:g",
        {},
        element("svg:line", { x1: at(value), x2: at(value), y1: 18, y2: 46, class: "tick" }),
        element("svg:text", { x: at(value), y: 50, "text-anchor": "middle", "dominant-baseline": "hanging" }, text),
      );
    const here = at(report.probability);
    const picture = element(
      "svg:svg",
      {
        class: "gauge",
        viewBox: "0 0 600 66",
        role: "img",
        "aria-label": say("gauge", { probability: shown, low: shownLow, high: shownHigh }),
      },
      zone(0, low, "likely_authentic"),
      zone(low, high, "uncertain"),
      zone(high, 1, "likely_deepfake"),
      tick(low, shownLow),
      tick(high, shownHigh),
      element("svg:path", { d: `M${here} 24 l-8 -14 h16 z`, class: "needle" }),
      element("svg:line", { x1: here, x2: here, y1: 12, y2: 42, class: "needle" }),
    );
    return [element("p", {}, `${say("probability")}: `, element("strong", {}, shown)), picture];
  };

  /** What the verdict means and why, as the report says it in this language where it can. */
  view.sentences = (say, language, report) => {
    const told = report.translations?.[language] ?? report;
    const summary = told.summary ?? say(`sentence.${report.verdict}`);
    const reasons = told.reasons ?? [];
    const said = new Set([summary, ...reasons.map(({ text }) => text)]);
    return [
      element("p", { class: "summary" }, summary),
      // Where there are reasons they say it already, in the reader's language.
      report.message && !reasons.length && !said.has(report.message) ? element("p", {}, report.message) : null,
      reasons.length
        ? element("section", {}, element("h3", {}, say("reasons")), element("ul", {}, reasons.map(({ text }) => element("li", {}, text))))
        : null,
    ];
  };

  view.rates = (say, rates) => {
    const text = rates
      ? say("rates", {
          false_alarms: ofHundred(rates.false_alarm_rate),
          low: ofHundred(rates.false_alarm_interval[0]),
          high: ofHundred(rates.false_alarm_interval[1]),
          detected: ofHundred(rates.detection_rate),
        })
      : say("rates_unknown");
    return element("section", {}, element("h3", {}, say("rates_title")), element("p", {}, text));
  };

  view.limits = (say, kind) => {
    const lines = [`can.${kind}`, `cannot.${kind}`].filter(say.knows);
    return lines.length
      ? element("section", {}, element("h3", {}, say("can_title")), lines.map((key) => element("p", {}, say(key))))
      : null;
  };

  const facts = (rows) =>
    element(
      "dl",
      {},
      rows.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
    );

  /** What the file itself claims; nothing where the answer does not carry it. */
  view.provenance = (say, provenance) => {
    if (!provenance) return null;
    const { c2pa, declared } = provenance;
    const rows = (declared ?? []).map(({ source, text }) => [source, text]);
    if (c2pa?.present) {
      const signer = c2pa.signer ?? say("unknown_signer");
      const state = !c2pa.valid ? "c2pa_invalid" : c2pa.trusted ? "c2pa_trusted" : "c2pa_valid";
      rows.unshift([say("c2pa"), [say(state, { signer }), c2pa.ai_generated ? ` ${say("c2pa_ai")}` : ""].join("")]);
    }
    return element(
      "section",
      {},
      element("h3", {}, say("provenance")),
      rows.length ? [facts(rows), element("p", { class: "soft" }, say("provenance_note"))] : element("p", {}, say("provenance_none")),
    );
  };

  view.details = (say, report, file) => {
    const seconds = report.audio_duration ?? report.video_duration;
    const { likely_authentic: low, likely_deepfake: high } = report.thresholds;
    return element(
      "section",
      { class: "details" },
      element("h3", {}, say("details")),
      facts([
        [say("model"), `${report.model.name} ${report.model.version} (${report.model.variant})`],
        [say("policy"), say.knows(`policy.${report.policy}`) ? `${say(`policy.${report.policy}`)} (${report.policy})` : report.policy],
        [say("thresholds"), say("thresholds_value", { low: number(low), high: number(high) })],
        [say("duration"), seconds === undefined ? null : clock(seconds, true)],
        [say("speech"), report.speech_duration === undefined ? null : clock(report.speech_duration, true)],
        [say("resolution"), report.resolution ? `${report.resolution}, ${Math.round(report.fps * 100) / 100} fps` : null],
        [
          say("analyzed"),
          report.analyzed_frames === undefined ? null : say("analyzed_value", { analyzed: report.analyzed_frames, total: report.total_frames }),
        ],
        [say("processing"), `${number(report.processing_seconds)} s`],
        [say("size"), file?.bytes ? say("bytes", { count: file.bytes.toLocaleString("en") }) : null],
        [say("sha256"), element("code", {}, report.sha256)],
      ]),
    );
  };
})();
