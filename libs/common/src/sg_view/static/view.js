// The whole view of a document: one file's results, or an index of several files.
"use strict";
(() => {
  const view = window.SilverGuardian;
  const { element } = view;

  /** The code of a failure, whether told by a problem document or by the command line. */
  view.problemCode = ({ code, type }) => code ?? String(type).split(":").pop();

  /** A failure in plain words, and in the service's own, which say more. */
  view.problem = (say, problem) => {
    const code = view.problemCode(problem);
    const plain = say.knows(`problem.${code}`) ? element("p", {}, say(`problem.${code}`)) : null;
    return [plain, problem.detail ? element("p", { class: plain ? "soft" : null, lang: "en" }, problem.detail) : null].filter(Boolean);
  };

  const known = (say, prefix, kind) => (say.knows(`${prefix}.${kind}`) ? say(`${prefix}.${kind}`) : kind);

  /** One expert's result; `finish` draws what needs a place on the page. */
  const resultPart = (say, language, file, { kind, report, problem, pictures, lang }, play) => {
    const verdict = report?.verdict ?? "not_judged";
    const holder = element(
      "article",
      { class: "result", "aria-labelledby": `kind-${kind}` },
      element("header", {}, element("h2", { id: `kind-${kind}` }, known(say, "kind", kind)), view.badge(say, verdict)),
      say.knows(`question.${kind}`) ? element("p", { class: "soft" }, say(`question.${kind}`)) : null,
    );
    if (!report) {
      holder.append(...view.problem(say, problem));
      return { holder, finish: () => {} };
    }
    const { summary, group, list } = view.told(say, language, report, lang);
    holder.append(...[summary, view.gauge(say, report), group("steps"), group("why")].flat().filter(Boolean));
    const evidence = element("div", { class: "evidence" });
    holder.append(evidence);
    // Charts are drawn once their place on the page has a width.
    const finish = () => {
      view.evidence(evidence, say, report, pictures ?? {}, play);
      const rest = [group("rates"), group("limits"), view.provenance(say, report.provenance, list("origin")), view.details(say, report, file)];
      holder.append(...rest.filter(Boolean));
    };
    return { holder, finish };
  };

  const indexPart = (say, index) =>
    element(
      "div",
      { class: "wide" },
      element(
        "table",
        { class: "index" },
        element("thead", {}, element("tr", {}, [say("file"), say("result")].map((head) => element("th", { scope: "col" }, head)))),
        element(
          "tbody",
          {},
          index.map(({ name, href, results, problem }) =>
            element(
              "tr",
              {},
              element("th", { scope: "row" }, href ? element("a", { href }, name) : name),
              element(
                "td",
                {},
                problem
                  ? [view.badge(say, "not_judged"), ` ${problem.detail}`]
                  : results.map(({ kind, verdict, probability, problem: own }) =>
                      element(
                        "p",
                        {},
                        `${known(say, "kind", kind)}: `,
                        view.badge(say, verdict ?? "not_judged"),
                        verdict && verdict !== "inconclusive" ? ` ${view.number(probability)}` : own ? ` ${own.detail}` : "",
                      ),
                    ),
              ),
            ),
          ),
        ),
      ),
    );

  /** Where the reader chooses the language of the words around an answer. */
  const languageChoice = (say, words, language, change) =>
    element(
      "label",
      { class: "language" },
      say("choose_language"),
      " ",
      element(
        "select",
        { change: (event) => change(event.target.value) },
        Object.keys(words).map((code) => element("option", { value: code, lang: code, selected: code === language }, words[code].language)),
      ),
    );

  /**
   * The page around its parts, in place of what is in `root`.
   *
   * @param {object} options `words` by language; `language`; `onLanguage(code)`: show all of it again in that language,
   *   null where none may be chosen now.
   */
  view.frame = (root, title, { words, language, onLanguage }, ...parts) => {
    const say = view.speaker(words[language]);
    const change = (code) => {
      onLanguage(code);
      root.querySelector(".language select").focus();
    };
    document.documentElement.lang = language;
    root.replaceChildren(
      element(
        "main",
        {},
        element(
          "header",
          { class: "top" },
          element("h1", {}, title),
          onLanguage ? languageChoice(say, words, language, change) : null,
          element("p", { class: "soft" }, say("evidence_not_proof")),
        ),
        ...parts,
      ),
    );
  };

  /**
   * Show a document in `root`, in place of what is there.
   *
   * @param {object} shown the document, as `sg_view.page.render` describes it.
   * @param {object} options `words` by language; `language`; `play(start, end)` where the media are at hand, `end` null
   *   to play on; `extra(say)`: an element between the title and the results, `after(say)`: one behind them;
   *   `onLanguage(code)`: show it again in that language.
   */
  view.show = (root, shown, options) => {
    const { words, play = null, extra = null, after = null } = options;
    const language = options.language in words ? options.language : Object.keys(words)[0];
    const say = view.speaker(words[language]);
    view.forgetCharts();
    const title = shown.index ? say("index_title", { count: shown.index.length }) : say("report_title", { file: shown.file.name });
    const parts = (shown.results ?? []).map((result) => resultPart(say, language, shown.file, result, play));
    view.frame(
      root,
      title,
      { words, language, onLanguage: options.onLanguage },
      ...[extra?.(say), shown.index ? indexPart(say, shown.index) : null].filter(Boolean),
      element("div", { class: "results" }, parts.map(({ holder }) => holder)),
      ...[after?.(say)].filter(Boolean),
      element("footer", {}, shown.made ? element("p", { class: "soft" }, say("made", { time: shown.made })) : ""),
    );
    parts.forEach(({ finish }) => finish());
  };
})();
