#!/usr/bin/env python3
"""Reports of runs: orch export.

usage: reports.py --orch PATH
"""
import html.parser
import re
import xml.etree.ElementTree as xml

from harness import check, contains, equal, main

MANY = """
name: many
parameters: {who: {type: string, default: ada}}
secrets: [token]
tasks:
  good: {shell: 'echo hello $WHO; echo "{\\"n\\": 7}" > $ORCH_OUTPUT', env: {WHO: '{{who}}'}}
  again: {exec: [sh, -c, 'test $ORCH_ATTEMPT = 2'], retry: {max_attempts: 2, delay: 300ms}}
  loop: {for_each: [1, 2], shell: 'true'}
  bad: {depends_on: good, shell: 'printf "</pre><script>alert(1)</script>\\\\033[31m & ]]>\\\\n"; echo secret $TOKEN; exit 3', env: {TOKEN: '{{secrets.token}}'}}
  after: {depends_on: bad, shell: 'true'}
"""


class Page(html.parser.HTMLParser):
    """Every tag that there is, and what is open at the end."""

    VOID = {"meta", "path", "rect", "circle", "br"}

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.words = {}, [], ""
        self.attributes = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += attrs

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, f"</{tag}> while open is", self.open[-3:])
        self.open.pop()

    def handle_data(self, data):
        self.words += data


def many(box):
    box.write("many.yaml", MANY)
    done = box.run("run", "many.yaml", "-p", "who=<b>bo\"b</b>", "--progress", "quiet", env={"ORCH_SECRET_token": "hush-hush-hush"})
    if done.code != 1:
        raise AssertionError(done)


def test_html(box):
    many(box)
    done = box.run("export", "last", "--format", "html", "-o", "report.html")
    equal((done.code, done.out, done.err), (0, "", ""))
    text = box.read("report.html")
    page = Page(text)
    equal(page.open, [])
    check("script" not in page.tags and "b" not in page.tags, "what a task wrote became markup:", page.tags)
    for tag in ("link", "img", "iframe", "a", "form"):
        check(tag not in page.tags, tag)
    for name, value in page.attributes:
        check(not name.startswith("on") and "http" not in (value or "") or name == "content", name, value)
    check("hush" not in text, "a secret shows")
    check("\x1b" not in text)
    contains(page.words, "many", "failed", "</pre><script>alert(1)</script>", '<b>bo"b</b>', "loop[1]", "waits for bad" if "waits for bad" in page.words else "bad")
    # The time line: each kind by a pattern of its own and by a word.
    contains(text, 'fill="url(#retry)"', 'fill="url(#ok)"', 'fill="url(#bad)"', "again: retry", "again: succeeded, try 2", "again: failed, try 1", 'pattern id="approval"')
    equal(box.run("export", "last", "--format", "html").out, text)


def test_html_while_it_waits(box):
    job = box.start("run", box.example("approval"), "--progress", "plain")
    job.expect("approval: orch approve")
    text = box.run("export", "--format", "html", "--store", "approval/.orch").out
    contains(text, 'fill="url(#approval)"', "deploy_ok: approval")
    equal(Page(text).open, [])
    told = box.run("export", "--format", "json", "--store", "approval/.orch").json()
    equal(told["state"], "held")
    check(any(span["kind"] == "approval" and span["task"] == "deploy_ok" for span in told["timeline"]), told["timeline"])
    equal(box.run("approve", "last", "--store", "approval/.orch").code, 0)
    equal(job.wait().code, 0)


def test_junit(box):
    many(box)
    done = box.run("export", "--format", "junit")
    equal(done.code, 0, done)
    root = xml.fromstring(done.out)
    equal(root.tag, "testsuites")
    (suite,) = root
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    equal((suite.tag, suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")),
          ("testsuite", "many", str(len(cases)), "1", "0", "1"))
    equal(sorted(cases), ["after", "again", "bad", "good", "loop[0]", "loop[1]"])
    equal([name for name, case in cases.items() if case.find("failure") is not None], ["bad"])
    failure = cases["bad"].find("failure")
    equal(failure.get("type"), "exit")
    contains(failure.text, "</pre><script>alert(1)</script>", "]]>")
    check("hush" not in done.out)
    check(cases["after"].find("skipped") is not None)
    check(all(re.fullmatch(r"\d+\.\d{3}", case.get("time")) for case in cases.values()))
    # What the strictest schema (Ant's) wants: a time without zone and fraction, these attributes and elements in order,
    # nothing on the root, and one outcome at most in a case.
    check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp")), suite.get("timestamp"))
    equal(root.attrib, {})
    equal(sorted(suite.keys()), ["errors", "failures", "hostname", "id", "name", "package", "skipped", "tests", "time", "timestamp"])
    equal([each.tag for each in suite], ["properties"] + ["testcase"] * len(cases) + ["system-out", "system-err"])
    check(all(len(case) <= 1 and set(case.keys()) == {"name", "classname", "time"} for case in cases.values()))
    check(all(each.get("message") and each.get("type") for each in suite.iter("failure")))


def test_json_and_text(box):
    many(box)
    told = box.run("export", "--format", "json").json()
    equal((told["v"], told["workflow"], told["state"]), (1, "many", "failed"))
    tasks = {task["task"]: task for task in told["tasks"]}
    equal([attempt["state"] for attempt in tasks["again"]["history"]], ["failed", "succeeded"])
    equal(tasks["good"]["output"], {"n": 7})
    equal(tasks["good"]["last_lines"], ['hello <b>bo"b</b>'])
    contains(" ".join(tasks["bad"]["last_lines"]), "secret ***")
    equal(tasks["bad"]["history"][0]["exit_code"], 3)
    check({"queued", "running", "retry", "inside"} >= {span["kind"] for span in told["timeline"]} >= {"running", "retry"}, told["timeline"])
    text = box.run("export").out
    contains(text, "many  #", "failed in", "again", "2 tries", "| secret ***", "not started" if "not started" in text else "skipped")
    check("\x1b" not in text)


def test_where_it_goes(box):
    many(box)
    equal(box.run("export", "last", "-o", "nowhere/x").code, 4)
    equal(box.run("export", "r-0000000").code, 4)
    equal(box.run("export", "--format", "pdf").code, 2)
    equal(box.run("export", "-o", "x.txt").code, 0)
    equal(box.read("x.txt"), box.run("export").out)


if __name__ == "__main__":
    main(globals())
