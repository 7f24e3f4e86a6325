// Evidence along the timeline: stretches, voices and faces as lanes, the worst frames.
"use strict";
(() => {
  const view = window.SilverGuardian;
  const { element, clock, number } = view;

  const verdictAt = (score, thresholds) =>
    score < thresholds.likely_authentic ? "likely_authentic" : score >= thresholds.likely_deepfake ? "likely_deepfake" : "uncertain";

  const channelName = (say, channel) => {
    if (channel === null || channel === undefined) return null;
    return say.knows(`channel.${channel}`) ? say(`channel.${channel}`) : say("channel", { channel });
  };

  const section = (title, ...children) => element("section", {}, element("h3", {}, title), ...children);

  /** A stretch that can be played where the media are at hand. */
  const playable = (say, play, start, end, text, properties = {}) =>
    play
      ? element("button", { ...properties, type: "button", title: say("listen", { start: clock(start) }), click: () => play(start, end) }, text)
      : element("span", properties, text);

  /** Lanes of who is heard or seen when: `[{name, note, from, to, score, verdict}]`. */
  const lanes = (say, rows, seconds, play) =>
    element(
      "ul",
      { class: "lanes" },
      rows.map(({ name, note, from, to, score, verdict }) => {
        const bar = playable(say, play, from, to, "", {
          class: `bar ${verdict}`,
          "aria-label": `${name}, ${say("lane", { start: clock(from), end: clock(to) })}`,
          role: play ? null : "img",
        });
        bar.style.left = `${(100 * from) / seconds}%`;
        bar.style.width = `${Math.max(0.8, (100 * (to - from)) / seconds)}%`;
        return element(
          "li",
          {},
          element(
            "p",
            {},
            element("strong", {}, name),
            ` ${say("lane", { start: clock(from), end: clock(to) })}`,
            note ? `, ${note}` : "",
            `: ${say(`verdict.${verdict}`)}${verdict === "inconclusive" ? "" : `, ${number(score)}`}`,
          ),
          element("div", { class: "lane" }, bar),
        );
      }),
    );

  const stretches = (say, found, play) =>
    section(
      say("stretches"),
      element(
        "ul",
        { class: "stretches" },
        found.map(({ start, end, channel, voice, deepfake_probability: score }) =>
          element(
            "li",
            {},
            playable(say, play, start, end, say("stretch", { start: clock(start), end: clock(end) })),
            [voice ? say("voice", { number: voice }) : null, channelName(say, channel), number(score)].filter(Boolean).map((text) => `, ${text}`),
          ),
        ),
      ),
    );

  const frames = (say, report, drawn, play) => {
    const [width, height] = report.resolution.split("x").map(Number);
    const pictures = new Map(drawn.map((picture) => [picture.frame_number, picture.image]));
    return section(
      say("frames"),
      element(
        "div",
        { class: "frames" },
        report.suspicious_frames.map(({ frame_number: number_, time, inconsistency_score: score, box }) => {
          const image = pictures.get(number_);
          const caption = say("frame", { time: clock(time, true), number: number_ });
          const [x, y, wide, high] = box;
          return element(
            "figure",
            {},
            image
              ? element(
                  "div",
                  { class: "picture" },
                  element("img", { src: image, alt: say("frame_alt", { number: number_, time: clock(time, true), score: number(score) }) }),
                  element(
                    "svg:svg",
                    { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
                    element("svg:rect", { x, y, width: wide, height: high, class: "under" }),
                    element("svg:rect", { x, y, width: wide, height: high }),
                  ),
                )
              : element("p", { class: "missing" }, say("frame_missing")),
            element("figcaption", {}, playable(say, play, time, null, caption), `, ${number(score)}`),
          );
        }),
      ),
    );
  };

  /** All evidence that a report holds, whichever its kind. `seconds`: the file's length. */
  view.evidence = (holder, say, report, pictures, play) => {
    const seconds = Math.max(0.1, report.audio_duration ?? report.video_duration ?? 0);
    const seek = play ? (at) => play(at, null) : null;
    const suspicious = report.suspicious_segments ?? [];
    const grow = (title) => {
      const part = section(title);
      holder.append(part);
      return part;
    };
    if (pictures.waveform) view.waveform(grow(say("waveform")), say, { ...pictures.waveform, seconds }, suspicious, seek);
    if (pictures.spectrogram) view.spectrogram(grow(`${say("spectrogram")} (kHz)`), say, { ...pictures.spectrogram, seconds }, seek);
    const points = (report.segments ?? []).map(({ start, end, deepfake_probability: score }) => ({ start, end, score }));
    points.push(...(report.timeline ?? []).map(({ time, inconsistency_score: score }) => ({ start: time, end: time, score })));
    if (points.length) view.scores(grow(say("scores")), say, points, seconds, report.thresholds, seek);
    if (suspicious.length) holder.append(stretches(say, suspicious, play));
    const voices = (report.voices ?? []).map((voice) => ({
      name: say("voice", { number: voice.voice }),
      note: channelName(say, voice.channel),
      from: voice.first_heard,
      to: voice.last_heard,
      score: voice.deepfake_probability,
      verdict: voice.verdict,
    }));
    const faces = (report.faces ?? []).map((face) => ({
      name: say("face", { number: face.track }),
      note: face.frames === undefined ? null : say("judged_frames", { count: face.frames }),
      from: face.first_seen,
      to: face.last_seen,
      score: face.manipulation_probability,
      verdict: face.verdict ?? verdictAt(face.manipulation_probability, report.thresholds),
    }));
    for (const [title, rows] of [["voices", voices], ["faces", faces]]) {
      if (rows.length) grow(say(title)).append(lanes(say, rows, seconds, play));
    }
    if (report.suspicious_frames?.length) holder.append(frames(say, report, pictures.frames ?? [], play));
  };
})();
