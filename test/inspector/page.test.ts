// In one file, so that all of them share a browser.
import "./page/access.ts"
import "./page/everybody.ts"
import "./page/graph.ts"
import "./page/job.ts"
import "./page/list.ts"
