// What a report says beside its evidence: the verdict, how often it is wrong, what the file claims, and details.
"use strict";
(() => {
  const view = window.SilverGuardian;
  const { element, clock, number } = view;

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

  const GROUPS = {
    steps: ["call_back", "verify", "stay_careful"],
    rates: ["measured", "unmeasured"],
    limits: ["scope", "not_proof", "no_all_clear"],
    origin: ["credentials_broken", "credentials_hold", "credentials_trusted", "no_ai_declared"],
  };

  /** The summary, and the reasons under headings, in this language where the answer has it, else in the `asked` one. */
  view.told = (say, language, report, asked) => {
    const translated = report.translations?.[language];
    const { summary, reasons = [], message } = translated ?? report;
    const lang = translated ? null : asked;
    const groupOf = (code) => Object.keys(GROUPS).find((group) => GROUPS[group].includes(code)) ?? "why";
    const list = (name) => {
      const found = reasons.filter(({ code }) => groupOf(code) === name);
      return found.length ? element("ul", { lang }, found.map(({ text }) => element("li", {}, text))) : null;
    };
    const group = (name) => {
      const found = list(name);
      return found && element("section", { class: "reasons" }, element("h3", {}, say(`group.${name}`)), found);
    };
    return {
      // Answers of earlier versions have no summary.
      summary: summary || message ? element("p", { class: "summary", lang }, summary ?? message) : null,
      group,
      list,
    };
  };

  const facts = (rows) =>
    element(
      "dl",
      {},
      rows.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
    );

  /** What the file itself claims, and the reasons that go with it; nothing where the answer does not carry it. */
  view.provenance = (say, provenance, reasons) => {
    if (!provenance) return null;
    const { c2pa, declared } = provenance;
    const known = (value) => (value === true ? say("yes") : value === false ? say("no") : value ?? say("unknown"));
    const credentials = c2pa ? [[say("c2pa.present"), known(c2pa.present)]] : [];
    if (c2pa?.present) {
      for (const name of ["valid", "trusted", "signer", "ai_generated"]) credentials.push([say(`c2pa.${name}`), known(c2pa[name])]);
    }
    const tags = (declared ?? []).map(({ source, text }) => [say.knows(`source.${source}`) ? say(`source.${source}`) : source, text]);
    const rows = [...credentials, ...tags];
    return element(
      "section",
      { class: "reasons" },
      element("h3", {}, say("provenance")),
      reasons,
      rows.length ? facts(rows) : null,
      element("p", { class: "soft" }, say("provenance_note")),
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
