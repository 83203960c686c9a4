// The description of the API as a page that sends requests: Swagger UI, with the token of the other pages.
import {Problem, Unreachable, read} from "./service.js";
import {fillTexts, translate} from "./texts.js";

const problem = document.getElementById("problem");
fillTexts();

// Swagger UI sends what its own form "Authorize" has; without that, the token that the pages of this service share.
function withToken(request) {
  const token = sessionStorage.getItem("token");
  if (token && !request.headers.Authorization) request.headers.Authorization = `Bearer ${token}`;
  return request;
}

async function show() {
  try {
    const spec = await read("/openapi.json");
    document.title = `${spec.info.title} API`;
    problem.textContent = "";
    window.SwaggerUIBundle({spec, dom_id: "#viewer", requestInterceptor: withToken, deepLinking: true, validatorUrl: null});
  } catch (error) {
    if (error instanceof Unreachable) problem.textContent = translate("unreachable");
    else if (!(error instanceof Problem)) throw error;
    else if (document.getElementById("login").hidden) problem.textContent = error.message;
  }
}

document.getElementById("login").addEventListener("submit", show);
show();
