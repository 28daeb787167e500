import type { PageFiles } from "../../../src/inspector/http/page-files.ts"

/** For tests of the server alone: building the page takes longer than they do. */
export const pageStub: PageFiles = {
  html: "<!doctype html><title>page</title>",
  js: "",
  css: "",
  machines: new Map([["job", { id: "job", width: 1, height: 1, nodes: [], arrows: [] }]]),
}
