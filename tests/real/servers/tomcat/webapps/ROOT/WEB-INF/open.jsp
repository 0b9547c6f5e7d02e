<%@ include file="serve.jspf" %><% serve("open", request, response, out); %>
